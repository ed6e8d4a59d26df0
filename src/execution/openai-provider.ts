import type { AIProvider, AIProviderOptions } from './ai-provider.js'
import { toExecutionResult } from './execution-result.js'
import { providerOfUrl } from './provider-of-url.js'

/** The part of the `openai` client that is used; `AzureOpenAI` has it as well. */
export interface OpenAIClient {
  readonly baseURL?: string
  readonly chat: {
    readonly completions: {
      create(request: ChatRequest, options: { readonly signal?: AbortSignal }): PromiseLike<ChatAnswer | null>
    }
  }
}

type ChatRequest = {
  readonly model: string
  readonly messages: { readonly role: 'system' | 'user'; readonly content: string }[]
  readonly max_completion_tokens?: number
  readonly temperature?: number
}

type ChatAnswer = {
  readonly model?: string
  readonly choices?: readonly {
    readonly message?: { readonly content?: string | null; readonly refusal?: string | null }
  }[]
}

/**
 * A provider over a client of `openai`, by chat completions, so that it works with every server that speaks them.
 * `maxOutputTokens` is sent as `max_completion_tokens`, which contains reasoning. A refusal is the output.
 */
export function createOpenAIProvider(client: OpenAIClient, { model, usage }: AIProviderOptions): AIProvider {
  const tracked = usage.track(client)
  const provider = providerOfUrl(client.baseURL, 'openai')
  return {
    provider,
    model,
    async execute(prompt, { model: asked = model, system, maxOutputTokens, temperature, signal } = {}) {
      const instructions = system === undefined ? [] : [{ role: 'system' as const, content: system }]
      const messages = [...instructions, { role: 'user' as const, content: prompt }]
      const request = { model: asked, messages, max_completion_tokens: maxOutputTokens, temperature }
      const answer = await tracked.chat.completions.create(request, { signal })
      const message = answer?.choices?.[0]?.message
      const output = message && (message.content ?? message.refusal ?? '')
      return toExecutionResult({ provider, model: answer?.model ?? asked, output, answer })
    },
  }
}
