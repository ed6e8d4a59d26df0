import { isJsonObject, listOf } from './json-object.js'
import { openAiImages } from './openai-images.js'
import type { WireFormat } from './wire-format.js'

/** Imagen on Gemini and Vertex AI, which tells no counts. */
export const geminiImages: WireFormat = {
  ...openAiImages,
  provider: 'gemini',
  matchesRequest: ({ path }) => /\/models\/(imagen|imagegeneration)[^/]*:predict$/.test(path),
  matchesAnswer: (message) => {
    const first = isJsonObject(message) ? listOf(message.predictions)[0] : undefined
    return isJsonObject(first) && 'bytesBase64Encoded' in first
  },
}
