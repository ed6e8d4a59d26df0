import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { countOf, isJsonObject, type JsonObject, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** The figures of Ollama's last line, or of its whole answer. Durations are nanoseconds. All of it is unchecked. */
type OllamaFigures = {
  readonly prompt_eval_count?: unknown
  readonly prompt_eval_cached_count?: unknown
  readonly eval_count?: unknown
  readonly total_duration?: unknown
  readonly load_duration?: unknown
  readonly prompt_eval_duration?: unknown
  readonly eval_duration?: unknown
}

/** Ollama's own /api/chat and /api/generate. Older servers leave the input count out where the prompt was cached. */
export const ollama: WireFormat = {
  provider: 'ollama',
  requestType: 'chat',
  streamFraming: 'ndjson',
  initial: nothingKnown,
  // Many applications have an /api/chat of their own; a model's name in the body tells Ollama's from them.
  matchesRequest: ({ path, body }) =>
    /\/api\/(chat|generate)$/.test(path) && (body === null || textOf(body.model) !== null),
  matchesAnswer: (message) =>
    isJsonObject(message) && typeof message.model === 'string' && typeof message.done === 'boolean',
  reduce,
  outputTextOf,
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  return {
    ...answer,
    model: textOf(message.model) ?? answer.model,
    usage: message.done === true ? countTokens(message) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

function progressOf(message: JsonObject): AnswerSoFar['progress'] {
  if (message.error !== undefined && message.error !== null) return 'failed'
  return message.done === true ? 'ended' : 'running'
}

function countTokens(message: OllamaFigures): TokenUsage {
  const { prompt_eval_count, prompt_eval_cached_count, eval_count } = message
  const { total_duration, load_duration, prompt_eval_duration, eval_duration } = message
  const durations = { total_duration, load_duration, prompt_eval_duration, eval_duration }
  return {
    ...unknownUsage,
    inputTokens: countOf(prompt_eval_count),
    outputTokens: countOf(eval_count),
    cacheReadTokens: countOf(prompt_eval_cached_count),
    raw: copyRawUsage({ prompt_eval_count, prompt_eval_cached_count, eval_count, ...durations }),
  }
}

function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  const said = isJsonObject(message.message) ? message.message : message
  const calls = Array.isArray(said.tool_calls) ? said.tool_calls : []
  return [said.thinking, said.content, said.response, ...calls.flatMap(textsOfCall)]
    .map((text) => textOf(text) ?? '')
    .join('')
}

function textsOfCall(call: unknown): unknown[] {
  const called = isJsonObject(call) ? call.function : undefined
  return isJsonObject(called) ? [called.name, JSON.stringify(called.arguments)] : []
}
