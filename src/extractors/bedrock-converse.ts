import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { noteContradictions } from './contradictions.js'
import {
  countOf,
  isJsonObject,
  type JsonObject,
  joinTexts,
  jsonTextOf,
  listOf,
  sumOfCounts,
  textOf,
} from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** `usage` of Converse; Nova has it with the other two names in InvokeModel. All of it is unchecked. */
type ConverseUsage = {
  readonly inputTokens?: unknown
  readonly outputTokens?: unknown
  readonly totalTokens?: unknown
  readonly cacheReadInputTokens?: unknown
  readonly cacheWriteInputTokens?: unknown
  readonly cacheReadInputTokenCount?: unknown
  readonly cacheWriteInputTokenCount?: unknown
}

/** Amazon Bedrock Converse and ConverseStream. An event is an object with one key, its type, as the AWS SDK gives it. */
export const bedrockConverse: WireFormat = {
  provider: 'bedrock',
  requestType: 'chat',
  streamFraming: 'aws-event-stream',
  initial: nothingKnown,
  matchesRequest: ({ path }) => /\/model\/[^/]+\/converse(-stream)?$/.test(path),
  matchesAnswer: (message) => isJsonObject(message) && (isWhole(message) || isEvent(message)),
  reduce,
  outputTextOf,
}

function isWhole(message: JsonObject): boolean {
  return typeof message.stopReason === 'string' && isJsonObject(message.output)
}

function isEvent(message: JsonObject): boolean {
  return ['messageStart', 'contentBlockStart', 'contentBlockDelta', 'messageStop', 'metadata'].some((name) =>
    isJsonObject(message[name]),
  )
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const told = isJsonObject(message.metadata) ? message.metadata : message
  return {
    ...answer,
    usage: isJsonObject(told.usage) ? countTokens(told.usage, told.serviceTier) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

// The counts come after the end of the message.
function progressOf(message: JsonObject): AnswerSoFar['progress'] {
  if (isBedrockError(message)) return 'failed'
  if (isJsonObject(message.metadata)) return 'ended'
  return isJsonObject(message.messageStop) ? 'finished' : 'running'
}

/** Whether an event of a stream tells that it failed. */
export function isBedrockError(event: JsonObject): boolean {
  return Object.entries(event).some(([name, value]) => isJsonObject(value) && /^error$|Exception$/.test(name))
}

// What was read from and written to the cache is beside the input, unless the total shows it to be a part of it.
function countTokens(usage: ConverseUsage, serviceTier: unknown): TokenUsage {
  const { inputTokens, outputTokens, totalTokens } = usage
  const read = usage.cacheReadInputTokens ?? usage.cacheReadInputTokenCount
  const write = usage.cacheWriteInputTokens ?? usage.cacheWriteInputTokenCount
  const total = countOf(totalTokens)
  const isInclusive = total !== null && sumOfCounts([inputTokens, outputTokens]) === total
  const counts = {
    ...unknownUsage,
    inputTokens: isInclusive ? countOf(inputTokens) : sumOfCounts([inputTokens, read ?? 0, write ?? 0]),
    outputTokens: countOf(outputTokens),
    cacheReadTokens: countOf(read),
    cacheWriteTokens: countOf(write),
    raw: copyRawUsage(serviceTier === undefined ? usage : { serviceTier, ...usage }),
  }
  return noteContradictions(counts, totalTokens)
}

function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  const { contentBlockDelta, contentBlockStart, output } = message
  const whole = isJsonObject(output) && isJsonObject(output.message) ? listOf(output.message.content) : []
  const delta = isJsonObject(contentBlockDelta) ? contentBlockDelta.delta : undefined
  const start = isJsonObject(contentBlockStart) ? contentBlockStart.start : undefined
  return [start, delta, ...whole].map(textOfBlock).join('')
}

function textOfBlock(block: unknown): string {
  if (!isJsonObject(block)) return ''
  const tool = isJsonObject(block.toolUse) ? block.toolUse : {}
  const reasoning = isJsonObject(block.reasoningContent) ? block.reasoningContent : {}
  const thought = isJsonObject(reasoning.reasoningText) ? reasoning.reasoningText.text : reasoning.text
  const input = textOf(tool.input) ?? jsonTextOf(tool.input)
  return joinTexts([block.text, thought, tool.name, input])
}
