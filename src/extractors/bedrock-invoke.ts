import type { TokenUsage } from '../usage/token-usage.js'
import { anthropicMessages } from './anthropic-messages.js'
import { bedrockConverse, isBedrockError } from './bedrock-converse.js'
import { cohereV1 } from './cohere-v1.js'
import { inputUsage } from './input-usage.js'
import { countOf, isJsonObject, type JsonObject, joinTexts, listOf, sumOfCounts, textOf } from './json-object.js'
import { openAiChat } from './openai-chat.js'
import { openAiImages } from './openai-images.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

const pathPattern = /\/model\/[^/]+\/invoke(-with-response-stream)?$/
const longestChunk = 1024 * 1024
const inputHeader = 'x-amzn-bedrock-input-token-count'
const outputHeader = 'x-amzn-bedrock-output-token-count'
/** What a model's own format may be. Nova writes as Converse does. */
const innerFormats = [anthropicMessages, openAiChat, bedrockConverse, cohereV1]

/**
 * Amazon Bedrock InvokeModel and InvokeModelWithResponseStream, whose bodies are in the format of the model's maker.
 * Where that tells no counts, Bedrock's own in the headers or with the last event stand in.
 */
export const bedrockInvoke: WireFormat = {
  provider: 'bedrock',
  requestType: 'chat',
  streamFraming: 'aws-event-stream',
  initial: nothingKnown,
  matchesRequest: ({ path }) => pathPattern.test(path),
  matchesAnswer: (message) =>
    isJsonObject(message) &&
    ((isJsonObject(message.chunk) && 'bytes' in message.chunk) ||
      'inputTextTokenCount' in message ||
      'generation_token_count' in message),
  readHeaders,
  reduce,
  outputTextOf,
}

/** The embedding models of InvokeModel. */
export const bedrockInvokeEmbeddings: WireFormat = {
  ...bedrockInvoke,
  requestType: 'embedding',
  matchesRequest: ({ path }) => pathPattern.test(path) && /embed/i.test(path),
  matchesAnswer: () => false,
  readHeaders: (answer, headers) => withoutOutput(readHeaders(answer, headers)),
  reduce: (answer, message) => withoutOutput(reduce(answer, message)),
}

/** The image models of InvokeModel. */
export const bedrockInvokeImages: WireFormat = {
  ...openAiImages,
  provider: 'bedrock',
  matchesRequest: ({ path }) =>
    pathPattern.test(path) && /\/model\/[^/]*(stability|titan-image|nova-canvas)/.test(path),
  matchesAnswer: () => false,
}

function withoutOutput(answer: AnswerSoFar): AnswerSoFar {
  return { ...answer, usage: inputUsage(answer.usage.inputTokens, answer.usage.raw) }
}

function readHeaders(answer: AnswerSoFar, headers: Headers): AnswerSoFar {
  const inputTokenCount = countOfHeader(headers.get(inputHeader))
  const outputTokenCount = countOfHeader(headers.get(outputHeader))
  return { ...answer, usage: fillIn(answer.usage, { inputTokenCount, outputTokenCount }) }
}

function countOfHeader(value: string | null): number | undefined {
  return value ? Number(value) : undefined
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  if (isBedrockError(message)) return { ...answer, progress: 'failed' }
  const inner = contentOf(message)
  if (!isJsonObject(inner)) return answer
  const read = innerFormatOf(inner)?.reduce(answer, inner) ?? reduceOwn(answer, inner)
  const metrics = inner['amazon-bedrock-invocationMetrics']
  if (!isJsonObject(metrics)) return read
  return { ...read, usage: fillIn(read.usage, metrics), progress: laterProgress(read.progress, 'ended') }
}

// The events of Anthropic's streams that tell nothing are of no other format either.
function innerFormatOf(inner: JsonObject): WireFormat | undefined {
  const isAnthropic = /^(message|content_block|ping|error)/.test(textOf(inner.type) ?? '')
  return isAnthropic ? anthropicMessages : innerFormats.find((format) => format.matchesAnswer(inner))
}

/** The body of an answer, or the JSON in an event: base64 on the wire, bytes from the AWS SDK. */
function contentOf(message: JsonObject): unknown {
  if (!isJsonObject(message.chunk)) return message
  const { bytes } = message.chunk
  const isReadable = (typeof bytes === 'string' || bytes instanceof Uint8Array) && bytes.length <= longestChunk
  if (!isReadable) return undefined
  try {
    return JSON.parse(
      typeof bytes === 'string' ? Buffer.from(bytes, 'base64').toString() : Buffer.from(bytes).toString(),
    )
  } catch {
    return undefined
  }
}

// Titan and Llama. A stream repeats its counts, and may leave out those of the input.
function reduceOwn(answer: AnswerSoFar, message: JsonObject): AnswerSoFar {
  const { inputTextTokenCount, totalOutputTextTokenCount, prompt_token_count, generation_token_count } = message
  const results = listOf(message.results).map((result) => (isJsonObject(result) ? result.tokenCount : null))
  const output =
    countOf(generation_token_count) ??
    countOf(totalOutputTextTokenCount) ??
    (results.length > 0 ? sumOfCounts(results) : null)
  const input = countOf(prompt_token_count) ?? countOf(inputTextTokenCount)
  const isFinished = textOf(message.stop_reason) !== null || textOf(message.completionReason) !== null
  return {
    ...answer,
    usage: {
      ...answer.usage,
      inputTokens: input ?? answer.usage.inputTokens,
      outputTokens: output ?? answer.usage.outputTokens,
      raw: addRaw(answer.usage, {
        inputTextTokenCount,
        totalOutputTextTokenCount,
        prompt_token_count,
        generation_token_count,
      }),
    },
    progress: laterProgress(answer.progress, isFinished ? 'finished' : 'running'),
  }
}

// As in Converse, what was read from and written to the cache is beside the input.
function fillIn(usage: TokenUsage, metrics: JsonObject): TokenUsage {
  if (usage.inputTokens !== null && usage.outputTokens !== null) return usage
  const {
    inputTokenCount,
    outputTokenCount,
    cacheReadInputTokenCount: read,
    cacheWriteInputTokenCount: write,
  } = metrics
  return {
    ...usage,
    inputTokens: usage.inputTokens ?? sumOfCounts([inputTokenCount, read ?? 0, write ?? 0]),
    outputTokens: usage.outputTokens ?? countOf(outputTokenCount),
    cacheReadTokens: usage.cacheReadTokens ?? countOf(read),
    cacheWriteTokens: usage.cacheWriteTokens ?? countOf(write),
    raw: addRaw(usage, { invocationMetrics: copyRawUsage(metrics) }),
  }
}

function addRaw({ raw }: TokenUsage, more: JsonObject): TokenUsage['raw'] {
  const added = copyRawUsage(more)
  return raw === null || added === null ? (raw ?? added) : { ...raw, ...added }
}

function outputTextOf(message: unknown): string {
  const inner = isJsonObject(message) ? contentOf(message) : undefined
  if (!isJsonObject(inner)) return ''
  const results = listOf(inner.results).map((result) => (isJsonObject(result) ? result.outputText : ''))
  return innerFormatOf(inner)?.outputTextOf(inner) ?? joinTexts([inner.generation, inner.outputText, ...results])
}
