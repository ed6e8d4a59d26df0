import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { noteContradictions } from './contradictions.js'
import { countOf, isJsonObject, type JsonObject, joinTexts, listOf, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** `usage` of a response. All of it is unchecked. */
type ResponseUsage = {
  readonly input_tokens?: unknown
  readonly output_tokens?: unknown
  readonly total_tokens?: unknown
  readonly input_tokens_details?: { readonly cached_tokens?: unknown; readonly cache_write_tokens?: unknown } | null
  readonly output_tokens_details?: { readonly reasoning_tokens?: unknown } | null
}

/** OpenAI Responses, its `/compact` among them, and the servers that speak the same. */
export const openAiResponses: WireFormat = {
  provider: 'openai',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) =>
    /\/responses(\/compact)?$/.test(path) &&
    (body === null || textOf(body.model) !== null || isJsonObject(body.prompt)),
  matchesAnswer: (message) =>
    isJsonObject(message) && (isWhole(message) || /^response\.\w/.test(textOf(message.type) ?? '')),
  reduce,
  outputTextOf,
}

function isWhole(message: JsonObject): boolean {
  return message.object === 'response' || message.object === 'response.compaction'
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const response = isJsonObject(message.response) ? message.response : isWhole(message) ? message : {}
  return {
    model: textOf(response.model) ?? answer.model,
    responseId: textOf(response.id) ?? answer.responseId,
    usage: isJsonObject(response.usage) ? countTokens(response.usage, response) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message, response)),
  }
}

// An `error` event is followed by `response.failed`, which may still tell the usage.
function progressOf(message: JsonObject, response: JsonObject): AnswerSoFar['progress'] {
  if (message.type === 'error') return 'running'
  if (message.type === 'response.failed' || response.status === 'failed' || isError(message.error)) return 'failed'
  const isLast = message.type === 'response.completed' || message.type === 'response.incomplete'
  return isLast || (isWhole(message) && !isWaiting(response.status)) ? 'ended' : 'running'
}

function isError(error: unknown): boolean {
  return error !== undefined && error !== null
}

function isWaiting(status: unknown): boolean {
  return status === 'queued' || status === 'in_progress'
}

function countTokens(usage: ResponseUsage, { service_tier, tool_usage }: JsonObject): TokenUsage {
  const counts = {
    ...unknownUsage,
    inputTokens: countOf(usage.input_tokens),
    outputTokens: countOf(usage.output_tokens),
    cacheReadTokens: countOf(usage.input_tokens_details?.cached_tokens),
    cacheWriteTokens: countOf(usage.input_tokens_details?.cache_write_tokens),
    reasoningTokens: countOf(usage.output_tokens_details?.reasoning_tokens),
    raw: copyRawUsage({ service_tier, tool_usage, ...usage }),
  }
  return noteContradictions(counts, usage.total_tokens)
}

// The events that end a part repeat its text, so only the deltas of a stream count.
function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  if (isWhole(message)) return listOf(message.output).map(textOfItem).join('')
  return (textOf(message.type) ?? '').endsWith('.delta') ? (textOf(message.delta) ?? '') : ''
}

function textOfItem(item: unknown): string {
  if (!isJsonObject(item) || item.role === 'user') return ''
  const parts = [...listOf(item.content), ...listOf(item.summary)]
  return joinTexts([...parts.map((part) => (isJsonObject(part) ? part.text : '')), item.name, item.arguments])
}
