import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { countOf, isJsonObject, type JsonObject, listOf, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

const pathPattern = /\/images\/(generations|edits|variations)$/
const eventPattern = /^image_(generation|edit)\./

/**
 * OpenAI image generations, edits and variations. An image request counts as 1 input and 1 output token; what gpt-image
 * models really count is in `raw`, with the number of images, which is all that DALL-E tells.
 */
export const openAiImages: WireFormat = {
  provider: 'openai',
  requestType: 'image',
  streamFraming: 'sse',
  initial: { ...nothingKnown, usage: { ...unknownUsage, inputTokens: 1, outputTokens: 1 } },
  matchesRequest: ({ path }) => pathPattern.test(path),
  matchesAnswer: (message) => isJsonObject(message) && (isEvent(message) || isImageList(message)),
  reduce,
  outputTextOf: () => '',
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  return {
    model: textOf(message.model) ?? answer.model,
    responseId: textOf(message.id) ?? answer.responseId,
    usage: { ...answer.usage, raw: rawUsageOf(message, answer) },
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

// A stream has an event for each image; Imagen lists its images as predictions.
function rawUsageOf(message: JsonObject, { usage: { raw } }: AnswerSoFar): TokenUsage['raw'] {
  const listed = listOf(message.data ?? message.predictions).length
  const images = (countOf(raw?.images) ?? 0) + (isLastEvent(message) ? 1 : listed)
  const counted = isJsonObject(message.usage) ? copyRawUsage(message.usage) : raw
  return images === 0 ? counted : { ...counted, images }
}

function isLastEvent(message: JsonObject): boolean {
  return textOf(message.type)?.endsWith('.completed') ?? false
}

function progressOf(message: JsonObject): AnswerSoFar['progress'] {
  if (message.error !== undefined && message.error !== null) return 'failed'
  return isImageList(message) || isLastEvent(message) ? 'ended' : 'running'
}

function isEvent(message: JsonObject): boolean {
  return typeof message.type === 'string' && eventPattern.test(message.type)
}

function isImageList(message: JsonObject): boolean {
  if (!Array.isArray(message.data)) return false
  const image: unknown = message.data[0]
  return isJsonObject(image) && ('b64_json' in image || 'url' in image)
}
