import { inputUsage } from './input-usage.js'
import { countOf, isJsonObject, type JsonObject, listOf, sumOfCounts } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, nothingKnown, type WireFormat } from './wire-format.js'

const pathPattern = /:(embedContent|batchEmbedContents)$|\/models\/[^/]*embedding[^/]*:predict$/

/** Embeddings of Gemini, and of Vertex AI's older `predict`. Older models of Gemini tell no counts. */
export const geminiEmbeddings: WireFormat = {
  provider: 'gemini',
  requestType: 'embedding',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path }) => pathPattern.test(path),
  matchesAnswer: (message) => {
    if (!isJsonObject(message)) return false
    const first = message.embedding ?? listOf(message.embeddings)[0]
    return (isJsonObject(first) && Array.isArray(first.values)) || statisticsOf(message).length > 0
  },
  reduce,
  outputTextOf: () => '',
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  return isJsonObject(message) ? { ...answer, usage: countTokens(message) } : answer
}

function countTokens(message: JsonObject) {
  if (isJsonObject(message.usageMetadata)) {
    return inputUsage(countOf(message.usageMetadata.promptTokenCount), copyRawUsage(message.usageMetadata))
  }
  const statistics = statisticsOf(message)
  const tokens = statistics.length > 0 ? sumOfCounts(statistics.map(({ token_count }) => token_count)) : null
  return inputUsage(tokens, copyRawUsage({ token_count: tokens, metadata: message.metadata }))
}

function statisticsOf(message: JsonObject): readonly JsonObject[] {
  return listOf(message.predictions)
    .map((prediction) => (isJsonObject(prediction) ? prediction.embeddings : undefined))
    .map((embeddings) => (isJsonObject(embeddings) ? embeddings.statistics : undefined))
    .filter(isJsonObject)
}
