import { openAiChat } from './openai-chat.js'
import type { WireFormat } from './wire-format.js'

/** The older text completions of OpenAI, and fill-in-the-middle. Only the request and the text differ from chat. */
export const openAiCompletions: WireFormat = {
  ...openAiChat,
  requestType: 'completion',
  matchesRequest: ({ path, body }) =>
    path.endsWith('/completions') && !path.endsWith('/chat/completions') && (body === null || 'prompt' in body),
}
