import { inputUsage } from './input-usage.js'
import { countOf, isJsonObject, listOf, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, nothingKnown, type WireFormat } from './wire-format.js'

/** Rankings of documents by Cohere, Voyage, Jina and OpenRouter. Cohere sells searches and tells no tokens. */
export const rerank: WireFormat = {
  provider: 'cohere',
  requestType: 'rerank',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) => path.endsWith('/rerank') && (body === null || Array.isArray(body.documents)),
  matchesAnswer: (message) => {
    const first = isJsonObject(message) ? (listOf(message.results)[0] ?? listOf(message.data)[0]) : undefined
    return isJsonObject(first) && 'relevance_score' in first
  },
  reduce,
  outputTextOf: () => '',
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const usage = isJsonObject(message.usage) ? message.usage : isJsonObject(message.meta) ? message.meta : {}
  const tokens = isJsonObject(usage.tokens) ? usage.tokens : {}
  const input = countOf(usage.total_tokens) ?? countOf(tokens.input_tokens)
  return {
    ...answer,
    model: textOf(message.model),
    responseId: textOf(message.id),
    usage: inputUsage(input, copyRawUsage(usage)),
  }
}
