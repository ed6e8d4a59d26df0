import { unknownUsage } from '../usage/token-usage.js'
import { isJsonObject, type JsonObject, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

const pathPattern = /\/images\/(generations|edits|variations)$/
const eventPattern = /^image_(generation|edit)\./

/**
 * OpenAI image generations, edits and variations. An image request counts as 1 input and 1 output token; what gpt-image
 * models really count is in `raw`, and DALL-E reports nothing.
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
    usage: isJsonObject(message.usage) ? { ...answer.usage, raw: copyRawUsage(message.usage) } : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

function progressOf(message: JsonObject): AnswerSoFar['progress'] {
  if (message.error !== undefined && message.error !== null) return 'failed'
  return isImageList(message) || textOf(message.type)?.endsWith('.completed') ? 'ended' : 'running'
}

function isEvent(message: JsonObject): boolean {
  return typeof message.type === 'string' && eventPattern.test(message.type)
}

function isImageList(message: JsonObject): boolean {
  if (!Array.isArray(message.data)) return false
  const image: unknown = message.data[0]
  return isJsonObject(image) && ('b64_json' in image || 'url' in image)
}
