import { anthropicMessages } from './anthropic-messages.js'
import { bedrockConverse } from './bedrock-converse.js'
import { bedrockInvoke, bedrockInvokeEmbeddings, bedrockInvokeImages } from './bedrock-invoke.js'
import { cohereChat } from './cohere-chat.js'
import { cohereEmbeddings } from './cohere-embeddings.js'
import { cohereV1 } from './cohere-v1.js'
import { geminiEmbeddings } from './gemini-embeddings.js'
import { geminiGenerateContent, geminiStreamGenerateContent } from './gemini-generate-content.js'
import { geminiImages } from './gemini-images.js'
import { geminiInteractions } from './gemini-interactions.js'
import { lmStudio } from './lm-studio.js'
import { ollama } from './ollama.js'
import { ollamaEmbeddings } from './ollama-embeddings.js'
import { openAiChat } from './openai-chat.js'
import { openAiCompletions } from './openai-completions.js'
import { openAiEmbeddings } from './openai-embeddings.js'
import { openAiImages } from './openai-images.js'
import { openAiResponses } from './openai-responses.js'
import { openAiRuns } from './openai-runs.js'
import { rerank } from './rerank.js'
import { transcriptions } from './transcriptions.js'
import type { ModelRequest, WireFormat } from './wire-format.js'

/** Every format that is known. The first that matches is taken. */
export const wireFormats: readonly WireFormat[] = [
  openAiChat,
  openAiCompletions,
  openAiResponses,
  openAiEmbeddings,
  openAiImages,
  openAiRuns,
  transcriptions,
  anthropicMessages,
  geminiEmbeddings,
  geminiGenerateContent,
  geminiStreamGenerateContent,
  geminiInteractions,
  geminiImages,
  ollama,
  ollamaEmbeddings,
  lmStudio,
  cohereChat,
  cohereV1,
  cohereEmbeddings,
  rerank,
  bedrockConverse,
  bedrockInvokeEmbeddings,
  bedrockInvokeImages,
  bedrockInvoke,
]

/** The format that a request speaks; undefined where it is not a call of a model. */
export function findFormatOfRequest(request: ModelRequest): WireFormat | undefined {
  return wireFormats.find((format) => format.matchesRequest(request))
}

/** The format that a whole answer, or one message of a streamed one, is written in. */
export function findFormatOfAnswer(message: unknown): WireFormat | undefined {
  return wireFormats.find((format) => format.matchesAnswer(message))
}
