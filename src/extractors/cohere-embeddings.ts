import { countCohereTokens } from './cohere-usage.js'
import { inputUsage } from './input-usage.js'
import { isJsonObject, textOf } from './json-object.js'
import { type AnswerSoFar, nothingKnown, type WireFormat } from './wire-format.js'

/** Cohere's embed, versions 1 and 2. The answer does not name its model. */
export const cohereEmbeddings: WireFormat = {
  provider: 'cohere',
  requestType: 'embedding',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) =>
    /\/v[12]\/embed$/.test(path) &&
    (body === null || ['texts', 'images', 'inputs', 'input_type'].some((name) => name in body)),
  matchesAnswer: (message) => isJsonObject(message) && (textOf(message.response_type) ?? '').startsWith('embeddings_'),
  reduce,
  outputTextOf: () => '',
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const { inputTokens, raw } = countCohereTokens(isJsonObject(message.meta) ? message.meta : {})
  return { ...answer, responseId: textOf(message.id), usage: inputUsage(inputTokens, raw) }
}
