import type { AIProvider, AIProviderOptions } from './ai-provider.js'
import { toExecutionResult } from './execution-result.js'
import { providerOfUrl } from './provider-of-url.js'

/** The part of the `@anthropic-ai/sdk` client that is used. */
export interface ClaudeClient {
  readonly baseURL?: string
  readonly messages: {
    create(request: MessageRequest, options: { readonly signal?: AbortSignal }): PromiseLike<MessageAnswer | null>
  }
}

type MessageRequest = {
  readonly model: string
  readonly messages: { readonly role: 'user'; readonly content: string }[]
  readonly max_tokens: number
  readonly system?: string
  readonly temperature?: number
}

type MessageAnswer = {
  readonly model?: string
  readonly content?: readonly { readonly type: string; readonly text?: string }[]
}

const defaultMaxOutputTokens = 4096

/**
 * A provider over a client of `@anthropic-ai/sdk`. Claude has to be given a limit: `maxOutputTokens` is 4096 by default.
 * The client itself refuses a limit that could take it longer than ten minutes.
 */
export function createClaudeProvider(client: ClaudeClient, { model, usage }: AIProviderOptions): AIProvider {
  const tracked = usage.track(client)
  const provider = providerOfUrl(client.baseURL, 'anthropic')
  return {
    provider,
    model,
    async execute(prompt, { model: asked = model, system, maxOutputTokens, temperature, signal } = {}) {
      const messages = [{ role: 'user' as const, content: prompt }]
      const limit = maxOutputTokens ?? defaultMaxOutputTokens
      const request = { model: asked, system, messages, max_tokens: limit, temperature }
      const answer = await tracked.messages.create(request, { signal })
      return toExecutionResult({ provider, model: answer?.model ?? asked, output: textOf(answer), answer })
    },
  }
}

// The other blocks are thoughts and what tools did.
function textOf(answer: MessageAnswer | null): string | undefined {
  const blocks = answer?.content
  if (!Array.isArray(blocks)) return undefined
  return blocks.map(({ type, text }) => (type === 'text' ? text : '')).join('')
}
