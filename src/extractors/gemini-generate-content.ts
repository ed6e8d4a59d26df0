import { countGeminiTokens } from './gemini-usage.js'
import { countOf, isJsonObject, type JsonObject, joinTexts, jsonTextOf, listOf, textOf } from './json-object.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** Gemini and Vertex AI generateContent. */
export const geminiGenerateContent: WireFormat = {
  provider: 'gemini',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path }) => path.endsWith(':generateContent'),
  matchesAnswer: (message) =>
    isJsonObject(message) && (Array.isArray(message.candidates) || hasCounts(message.usageMetadata)),
  reduce,
  outputTextOf,
}

/** Gemini and Vertex AI streamGenerateContent: one JSON array, or server-sent events where `alt=sse` asks for them. */
export const geminiStreamGenerateContent: WireFormat = {
  ...geminiGenerateContent,
  streamFraming: 'json-array',
  matchesRequest: ({ path }) => path.endsWith(':streamGenerateContent'),
}

// Each chunk of a stream has running counts, which may go down; on Vertex AI only the last may have any.
function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const usage = message.usageMetadata
  return {
    model: textOf(message.modelVersion) ?? answer.model,
    responseId: textOf(message.responseId) ?? answer.responseId,
    usage: hasCounts(usage) ? countGeminiTokens(usage) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

function hasCounts(usage: unknown): usage is JsonObject {
  return isJsonObject(usage) && (countOf(usage.promptTokenCount) !== null || countOf(usage.totalTokenCount) !== null)
}

// A prompt that is refused has no candidates, and the reason for it in their place.
function progressOf(message: JsonObject): AnswerSoFar['progress'] {
  if (message.error !== undefined && message.error !== null) return 'failed'
  const isRefused = isJsonObject(message.promptFeedback) && textOf(message.promptFeedback.blockReason) !== null
  const isFinished = listOf(message.candidates).some((one) => isJsonObject(one) && textOf(one.finishReason))
  return isRefused || isFinished ? 'finished' : 'running'
}

function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  return listOf(message.candidates).flatMap(partsOf).map(textOfPart).join('')
}

function partsOf(candidate: unknown): readonly unknown[] {
  return isJsonObject(candidate) && isJsonObject(candidate.content) ? listOf(candidate.content.parts) : []
}

function textOfPart(part: unknown): string {
  if (!isJsonObject(part)) return ''
  const call = isJsonObject(part.functionCall) ? part.functionCall : {}
  return joinTexts([part.text, call.name, jsonTextOf(call.args)])
}
