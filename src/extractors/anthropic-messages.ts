import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { countOf, isJsonObject, type JsonObject, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** `usage` of a message, of `message_start` and, in part, of `message_delta`. All of it is unchecked. */
type MessageUsage = {
  readonly input_tokens?: unknown
  readonly cache_creation_input_tokens?: unknown
  readonly cache_read_input_tokens?: unknown
  readonly output_tokens?: unknown
  readonly output_tokens_details?: { readonly thinking_tokens?: unknown }
}

/** Anthropic Messages. `input_tokens` leaves out what was read from and written to the cache; the total here holds both. */
export const anthropicMessages: WireFormat = {
  provider: 'anthropic',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) => path.endsWith('/v1/messages') && (body === null || Array.isArray(body.messages)),
  matchesAnswer: (message) =>
    isJsonObject(message) &&
    (message.type === 'message_start' || (message.type === 'message' && Array.isArray(message.content))),
  reduce,
  outputTextOf,
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  if (message.type === 'message_start') return isJsonObject(message.message) ? start(answer, message.message) : answer
  const delta = isJsonObject(message.delta) ? message.delta : undefined
  return {
    model: textOf(message.model) ?? answer.model,
    responseId: message.type === 'message' ? textOf(message.id) : answer.responseId,
    usage: isJsonObject(message.usage) ? countTokens(mergeRaw(answer, message.usage)) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message, delta)),
  }
}

// The output count of message_start is a placeholder, a token or a few, whatever the answer's length.
function start(answer: AnswerSoFar, message: JsonObject): AnswerSoFar {
  const { output_tokens: _placeholder, ...usage } = isJsonObject(message.usage) ? message.usage : {}
  return {
    ...answer,
    model: textOf(message.model),
    responseId: textOf(message.id),
    usage: countTokens(mergeRaw(answer, usage)),
  }
}

// Counts are cumulative and a later event may leave some out: each field is overwritten by itself.
function mergeRaw(answer: AnswerSoFar, usage: JsonObject): TokenUsage['raw'] {
  return copyRawUsage({ ...answer.usage.raw, ...copyRawUsage(usage) })
}

function countTokens(raw: TokenUsage['raw']): TokenUsage {
  const usage: MessageUsage = raw ?? {}
  return {
    ...unknownUsage,
    inputTokens: sum([usage.input_tokens, usage.cache_creation_input_tokens ?? 0, usage.cache_read_input_tokens ?? 0]),
    outputTokens: countOf(usage.output_tokens),
    cacheReadTokens: countOf(usage.cache_read_input_tokens),
    cacheWriteTokens: countOf(usage.cache_creation_input_tokens),
    reasoningTokens: countOf(usage.output_tokens_details?.thinking_tokens),
    raw,
  }
}

function sum(values: readonly unknown[]): number | null {
  const counts = values.map(countOf)
  return counts.every((count) => count !== null) ? counts.reduce((total, count) => total + count, 0) : null
}

function progressOf(message: JsonObject, delta: JsonObject | undefined): AnswerSoFar['progress'] {
  if (message.type === 'error') return 'failed'
  if (message.type === 'message_stop' || message.type === 'message') return 'ended'
  return textOf(delta?.stop_reason) ? 'finished' : 'running'
}

function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  const blocks = Array.isArray(message.content) ? message.content : [message.content_block, message.delta]
  return blocks.map(textOfBlock).join('')
}

// A tool's input is an object in a whole answer, and empty at the start of a streamed one.
function textOfBlock(block: unknown): string {
  if (!isJsonObject(block)) return ''
  const input = isJsonObject(block.input) && Object.keys(block.input).length > 0 ? JSON.stringify(block.input) : ''
  const texts = [block.thinking, block.text, block.name, block.partial_json, input]
  return texts.map((text) => textOf(text) ?? '').join('')
}
