import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { noteContradictions } from './contradictions.js'
import { countOf, isJsonObject, type JsonObject, listOf, sumOfCounts, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** `usage` of a message, of `message_start` and, in part, of `message_delta`. All of it is unchecked. */
type MessageUsage = {
  readonly input_tokens?: unknown
  readonly cache_creation_input_tokens?: unknown
  readonly cache_read_input_tokens?: unknown
  readonly output_tokens?: unknown
  readonly output_tokens_details?: { readonly thinking_tokens?: unknown }
  readonly cache_creation?: {
    readonly ephemeral_5m_input_tokens?: unknown
    readonly ephemeral_1h_input_tokens?: unknown
  }
  readonly iterations?: unknown
}

const paths = /\/v1\/messages$|\/publishers\/anthropic\/models\/(?!count-tokens)[^/]+:(r|streamR)awPredict$/

/**
 * Anthropic Messages, also on Vertex AI. `input_tokens` leaves out what was read from and written to the cache; the total
 * here holds both.
 */
export const anthropicMessages: WireFormat = {
  provider: 'anthropic',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) => paths.test(path) && (body === null || Array.isArray(body.messages)),
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
    usage: isJsonObject(message.usage) ? countTokens(answer, message.usage) : answer.usage,
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
    usage: countTokens(answer, usage),
  }
}

// Counts are cumulative and a later event may leave some out: each field is overwritten by itself.
function countTokens(answer: AnswerSoFar, told: MessageUsage): TokenUsage {
  const { inconsistent: _judgedAnew, ...known } = answer.usage.raw ?? {}
  const raw = copyRawUsage({ ...known, ...copyRawUsage(told) })
  const usage: MessageUsage = raw ?? {}
  const charged = chargedParts(usage, told.iterations ?? usage.iterations)
  const counts = {
    ...unknownUsage,
    inputTokens: sumOfCounts(charged.map(countInput)),
    outputTokens: sumOfCounts(charged.map(({ output_tokens }) => output_tokens)),
    cacheReadTokens: sumOfCounts(charged.map((part) => part.cache_read_input_tokens)),
    cacheWriteTokens: sumOfCounts(charged.map((part) => part.cache_creation_input_tokens)),
    reasoningTokens: countOf(usage.output_tokens_details?.thinking_tokens),
    raw,
  }
  return noteContradictions(counts, undefined, isSplitWrong(usage) ? ['cache_creation'] : [])
}

// Where a call made others by itself, of another model or to shorten the conversation, those are charged as well and
// the iterations are all of them; the counts at the top are then those of the messages alone.
function chargedParts(usage: MessageUsage, iterations: unknown): readonly MessageUsage[] {
  const parts = listOf(iterations).filter(isJsonObject)
  return parts.some(({ type }) => type !== 'message') ? parts : [usage]
}

function countInput(usage: MessageUsage): number | null {
  return sumOfCounts([usage.input_tokens, usage.cache_creation_input_tokens ?? 0, usage.cache_read_input_tokens ?? 0])
}

// The last event of a stream tells how much was written to the cache, but not for how long.
function isSplitWrong({ cache_creation: split, cache_creation_input_tokens: written }: MessageUsage): boolean {
  const parts = sumOfCounts([split?.ephemeral_5m_input_tokens, split?.ephemeral_1h_input_tokens])
  return parts !== null && countOf(written) !== null && parts !== written
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
