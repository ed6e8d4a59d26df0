import Anthropic from '@anthropic-ai/sdk'
import { Ollama } from 'ollama'
import OpenAI from 'openai'
import type { UsageLogger } from 'tokenledger'

export const providers = ['openai', 'anthropic', 'ollama'] as const
export type Provider = (typeof providers)[number]

/** What the app asks a model. `signal` ends the call when the user has gone. */
export type Question = { readonly model: string; readonly prompt: string; readonly signal?: AbortSignal }

/** A provider's chat: the whole answer, or piece by piece as it is made. */
export type Chat = {
  ask(question: Question): Promise<string>
  tell(question: Question): AsyncIterable<string>
}

/** The app's models, all of whose calls are recorded: what `track` returns is used as the client it was given. */
export function createModels(usage: UsageLogger, providerUrl: string) {
  const openai = usage.track(new OpenAI({ baseURL: `${providerUrl}/v1`, apiKey: 'none needed here' }))
  const anthropic = usage.track(new Anthropic({ baseURL: providerUrl, apiKey: 'none needed here' }))
  const ollama = usage.track(new Ollama({ host: providerUrl }))
  const chats: Record<Provider, Chat> = {
    openai: createOpenAIChat(openai),
    anthropic: createAnthropicChat(anthropic),
    ollama: createOllamaChat(ollama),
  }
  const draw = async ({ model, prompt, signal }: Question): Promise<string> => {
    const { data } = await openai.images.generate({ model, prompt }, { signal })
    return data?.[0]?.b64_json ?? ''
  }
  return { chats, draw }
}

function createOpenAIChat(openai: OpenAI): Chat {
  return {
    async ask({ model, prompt, signal }) {
      const answer = await openai.chat.completions.create({ model, messages: toMessages(prompt) }, { signal })
      return answer.choices[0]?.message.content ?? ''
    },
    async *tell({ model, prompt, signal }) {
      const request = { model, messages: toMessages(prompt), stream: true } as const
      for await (const chunk of await openai.chat.completions.create(request, { signal })) {
        const text = chunk.choices[0]?.delta.content
        if (text) yield text
      }
    },
  }
}

function createAnthropicChat(anthropic: Anthropic): Chat {
  const toRequest = ({ model, prompt }: Question) => ({ model, max_tokens: 1024, messages: toMessages(prompt) })
  return {
    async ask(question) {
      const { content } = await anthropic.messages.create(toRequest(question), { signal: question.signal })
      return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    },
    async *tell(question) {
      const request = { ...toRequest(question), stream: true } as const
      for await (const event of await anthropic.messages.create(request, { signal: question.signal })) {
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') yield event.delta.text
      }
    },
  }
}

function createOllamaChat(ollama: Ollama): Chat {
  return {
    async ask({ model, prompt }) {
      const { message } = await ollama.chat({ model, messages: toMessages(prompt) })
      return message.content
    },
    async *tell({ model, prompt, signal }) {
      const stream = await ollama.chat({ model, messages: toMessages(prompt), stream: true })
      const abort = () => stream.abort()
      if (signal?.aborted) abort()
      signal?.addEventListener('abort', abort)
      let isDone = false
      try {
        for await (const part of stream) {
          isDone = part.done
          yield part.message.content
        }
      } finally {
        signal?.removeEventListener('abort', abort)
        // This client goes on receiving what nobody reads any more, unless it is told.
        if (!isDone) abort()
      }
    },
  }
}

function toMessages(prompt: string) {
  return [{ role: 'user' as const, content: prompt }]
}
