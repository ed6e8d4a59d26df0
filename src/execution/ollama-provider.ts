import type { AIProvider, AIProviderOptions } from './ai-provider.js'
import { toExecutionResult } from './execution-result.js'

/** The part of the `ollama` client that is used. */
export interface OllamaClient {
  chat(request: ChatRequest): PromiseLike<ChatAnswer | null>
}

type ChatRequest = {
  readonly model: string
  readonly messages: { readonly role: string; readonly content: string }[]
  readonly stream: false
  readonly options: { readonly num_predict?: number; readonly temperature?: number }
}

type ChatAnswer = { readonly model?: string; readonly message?: { readonly content?: string } }

const provider = 'ollama'

/** A provider over a client of `ollama`. A `signal` has an effect on the official client only. */
export function createOllamaProvider(client: OllamaClient, { model, usage }: AIProviderOptions): AIProvider {
  const tracked = usage.track(client)
  return {
    provider,
    model,
    async execute(prompt, { model: asked = model, system, maxOutputTokens, temperature, signal } = {}) {
      const instructions = system === undefined ? [] : [{ role: 'system', content: system }]
      const messages = [...instructions, { role: 'user', content: prompt }]
      const options = { num_predict: maxOutputTokens, temperature }
      const caller = signal === undefined ? tracked : withSignal(tracked, signal)
      const answer = await caller.chat({ model: asked, messages, stream: false, options })
      return toExecutionResult({ provider, model: answer?.model ?? asked, output: answer?.message?.content, answer })
    },
  }
}

// The client takes no signal for an answer that is not streamed, so its fetch, a protected member, is given it instead.
function withSignal(client: OllamaClient, signal: AbortSignal): OllamaClient {
  signal.throwIfAborted()
  const { fetch: send } = client as OllamaClient & { readonly fetch: typeof fetch }
  const copy: OllamaClient = Object.assign(Object.create(Object.getPrototypeOf(client)), client)
  return Object.assign(copy, { fetch: ((input, init) => send(input, { ...init, signal })) satisfies typeof fetch })
}
