import { inputUsage } from './input-usage.js'
import { countOf, isJsonObject, listOf, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, nothingKnown, type WireFormat } from './wire-format.js'

/** OpenAI embeddings and all that speak the same: Azure, Mistral, OpenRouter, Perplexity, Voyage, local servers. */
export const openAiEmbeddings: WireFormat = {
  provider: 'openai',
  requestType: 'embedding',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) =>
    /\/(multimodal|contextualized)?embeddings$/.test(path) && (body === null || 'input' in body || 'inputs' in body),
  matchesAnswer: (message) => {
    const first = isJsonObject(message) ? listOf(message.data)[0] : undefined
    return isJsonObject(first) && 'embedding' in first
  },
  reduce,
  outputTextOf: () => '',
}

// Voyage tells the total alone.
function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const usage = isJsonObject(message.usage) ? message.usage : {}
  const input = countOf(usage.prompt_tokens) ?? countOf(usage.total_tokens)
  return {
    ...answer,
    model: textOf(message.model),
    responseId: textOf(message.id),
    usage: inputUsage(input, copyRawUsage(usage)),
  }
}
