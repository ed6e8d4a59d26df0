import { inputUsage } from './input-usage.js'
import { countOf, isJsonObject, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, nothingKnown, type WireFormat } from './wire-format.js'

/** Ollama's own /api/embed, and the older /api/embeddings, which tells no counts. */
export const ollamaEmbeddings: WireFormat = {
  provider: 'ollama',
  requestType: 'embedding',
  streamFraming: 'ndjson',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) =>
    /\/api\/embed(dings)?$/.test(path) && (body === null || textOf(body.model) !== null),
  matchesAnswer: (message) =>
    isJsonObject(message) && Array.isArray(message.embeddings) && 'prompt_eval_count' in message,
  reduce,
  outputTextOf: () => '',
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const { prompt_eval_count, total_duration, load_duration } = message
  return {
    ...answer,
    model: textOf(message.model),
    usage: inputUsage(countOf(prompt_eval_count), copyRawUsage({ prompt_eval_count, total_duration, load_duration })),
  }
}
