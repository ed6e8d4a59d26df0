import { anthropicMessages } from './anthropic-messages.js'
import { ollama } from './ollama.js'
import { openAiChat } from './openai-chat.js'
import { openAiImages } from './openai-images.js'
import type { ModelRequest, WireFormat } from './wire-format.js'

const wireFormats: readonly WireFormat[] = [openAiChat, openAiImages, anthropicMessages, ollama]

/** The format that a request speaks; undefined where it is not a call of a model. */
export function findFormatOfRequest(request: ModelRequest): WireFormat | undefined {
  return wireFormats.find((format) => format.matchesRequest(request))
}

/** The format that a whole answer, or one message of a streamed one, is written in. */
export function findFormatOfAnswer(message: unknown): WireFormat | undefined {
  return wireFormats.find((format) => format.matchesAnswer(message))
}
