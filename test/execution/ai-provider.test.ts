import type Anthropic from '@anthropic-ai/sdk'
import type { Ollama } from 'ollama'
import type OpenAI from 'openai'
import type { AzureOpenAI } from 'openai'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  type ClaudeClient,
  createClaudeProvider,
  createOllamaProvider,
  createOpenAIProvider,
  createUsageLogger,
  type OllamaClient,
  type OpenAIClient,
  TokenLedgerError,
} from '../../src/index.js'
import { changing, providerNames, startProviders } from './start-providers.js'

describe.each(providerNames)('a provider over the client of %s', (name) => {
  it('resolves with the text and the counts of the answer, and leaves one row with the same counts', async () => {
    const { providers, calls, usage, rows } = await startProviders({ behaviour: { words: 20 } })

    const result = await usage.run({ user: 'ada@example.com' }, () => providers[name].execute('How many?'))

    expect(calls).toHaveLength(1)
    expect(result).toEqual({
      output: expect.stringMatching(/^(\S+\s+){20,}$/),
      inputTokensUsed: calls[0]?.counts.inputTokens,
      outputTokensUsed: calls[0]?.counts.outputTokens,
      provider: name,
      model: providers[name].model,
    })
    expect(await rows()).toEqual([
      expect.objectContaining({
        userEmail: 'ada@example.com',
        provider: name,
        modelName: result.model,
        inputTokens: result.inputTokensUsed,
        outputTokens: result.outputTokensUsed,
        status: 'ok',
        usageSource: 'provider',
      }),
    ])
  })

  it('resolves with 0 where the answer has no counts, and its row says unknown', async () => {
    const { providers, rows } = await startProviders({
      fetch: changing(({ usage, prompt_eval_count, eval_count, ...document }) => document),
    })

    const result = await providers[name].execute('How many?')

    expect(result).toMatchObject({ inputTokensUsed: 0, outputTokensUsed: 0 })
    expect(result.output).not.toBe('')
    expect(await rows()).toMatchObject([{ inputTokens: 0, outputTokens: 0, status: 'ok', usageSource: 'unknown' }])
  })

  it('resolves with 0 where the answer has counts that are none', async () => {
    const nonsense = { usage: 'many', prompt_eval_count: -4, eval_count: '12' }
    const { providers } = await startProviders({ fetch: changing((document) => ({ ...document, ...nonsense })) })

    const result = await providers[name].execute('How many?')

    expect(result).toMatchObject({ inputTokensUsed: 0, outputTokensUsed: 0 })
    expect(result.output).not.toBe('')
  })

  it('rejects with the error of the client itself, and the row says error', async () => {
    const { clients, providers, rows } = await startProviders({ behaviour: { status: 429 } })
    const own = await ask(clients)
      [name]()
      .catch((error: unknown) => error as Error)

    const execution = providers[name].execute('How many?')

    await expect(execution).rejects.toMatchObject({ message: (own as Error).message, constructor: own.constructor })
    expect(await rows()).toMatchObject([{ status: 'error' }])
  })

  it('breaks off at its signal, with the reason that the client gives, and the row says aborted', async () => {
    // Later than anybody waits for.
    const { providers, calls, rows } = await startProviders({ behaviour: { partDelayMs: 600_000 } })
    const { signal, abort } = createAbort()

    const execution = providers[name].execute('How many?', { signal })
    await expect.poll(() => calls, { interval: 1 }).toHaveLength(1)
    abort()

    await expect(execution).rejects.toThrow(/abort/i)
    expect(await rows()).toMatchObject([{ status: 'aborted' }])
    await expect.poll(() => calls[0]?.outcome).toBe('disconnected')
  })

  it('calls nobody after its signal', async () => {
    const { providers, calls, rows } = await startProviders()

    const execution = providers[name].execute('How many?', { signal: AbortSignal.abort() })

    await expect(execution).rejects.toThrow(/abort/i)
    expect(calls).toEqual([])
    expect(await rows()).toEqual([])
  })

  it('counts a client once that is tracked already', async () => {
    const { clients, usage, rows } = await startProviders()
    const tracked = {
      openai: createOpenAIProvider(usage.track(clients.openai), { model: 'gpt-5', usage }),
      anthropic: createClaudeProvider(usage.track(clients.anthropic), { model: 'claude-sonnet-5-5', usage }),
      ollama: createOllamaProvider(usage.track(clients.ollama), { model: 'llama3.2', usage }),
    }

    await tracked[name].execute('How many?', { signal: createAbort().signal })

    expect(await rows()).toHaveLength(1)
  })

  it('counts with the usage logger switched off as well', async () => {
    const { clients, calls } = await startProviders()
    const usage = createUsageLogger({ enabled: false })
    const providers = {
      openai: createOpenAIProvider(clients.openai, { model: 'gpt-5', usage }),
      anthropic: createClaudeProvider(clients.anthropic, { model: 'claude-sonnet-5-5', usage }),
      ollama: createOllamaProvider(clients.ollama, { model: 'llama3.2', usage }),
    }

    const result = await providers[name].execute('How many?')

    expect(result).toMatchObject({
      inputTokensUsed: calls[0]?.counts.inputTokens,
      outputTokensUsed: calls[0]?.counts.outputTokens,
    })
  })

  it('rejects an answer without a message instead of returning an empty text', async () => {
    const { providers, rows } = await startProviders({
      fetch: changing(({ choices, content, message, ...document }) => document),
    })

    const execution = providers[name].execute('How many?')

    await expect(execution).rejects.toMatchObject({ constructor: TokenLedgerError, code: 'TOKENLEDGER_EXECUTION' })
    expect(await rows()).toHaveLength(1)
  })

  it('keeps the prompt, the answer, the key and what an error quotes out of rows and log lines', async () => {
    const answers = [Response.json(answerTexts('answer-canary')), errorQuoting('prompt-canary', name)]
    const { providers, rows, lines } = await startProviders({ fetch: async () => answers.shift() ?? Response.error() })
    const options = { system: 'system-canary' }

    const result = await providers[name].execute('prompt-canary', options)
    await expect(providers[name].execute('prompt-canary', options)).rejects.toThrow('prompt-canary')

    const [kept, said] = [JSON.stringify(await rows()), lines.join('\n')]
    expect(result.output).toBe('answer-canary')
    expect(await rows()).toHaveLength(2)
    expect(kept + said).not.toMatch(/canary/)
  })
})

it('rejects an empty answer', async () => {
  const { providers } = await startProviders({ fetch: async () => new Response(null, { status: 204 }) })

  await expect(providers.openai.execute('How many?')).rejects.toMatchObject({ code: 'TOKENLEDGER_EXECUTION' })
  await expect(providers.anthropic.execute('How many?')).rejects.toMatchObject({ code: 'TOKENLEDGER_EXECUTION' })
})

it('types the clients so that each provider takes its own only, Azure included', () => {
  expectTypeOf<AzureOpenAI>().toExtend<OpenAIClient>()
  expectTypeOf<Anthropic>().not.toExtend<OpenAIClient>()
  expectTypeOf<OpenAI>().not.toExtend<ClaudeClient>()
  expectTypeOf<OpenAI>().not.toExtend<OllamaClient>()
  expectTypeOf<Ollama>().not.toExtend<OpenAIClient>()
})

function ask({ openai, anthropic, ollama }: { openai: OpenAI; anthropic: Anthropic; ollama: Ollama }) {
  const messages = [{ role: 'user' as const, content: 'How many?' }]
  return {
    openai: async () => openai.chat.completions.create({ model: 'gpt-5', messages }),
    anthropic: async () => anthropic.messages.create({ model: 'claude-sonnet-5-5', messages, max_tokens: 4096 }),
    ollama: async () => ollama.chat({ model: 'llama3.2', messages }),
  }
}

function createAbort() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}

/** An answer that each of the three clients finds its text in. */
function answerTexts(text: string): object {
  const message = { role: 'assistant', content: text }
  return {
    id: 'a1',
    type: 'message',
    model: 'm',
    done: true,
    choices: [{ message }],
    content: [{ type: 'text', text }],
    message,
  }
}

function errorQuoting(text: string, name: (typeof providerNames)[number]): Response {
  const message = `cannot do ${text}`
  return Response.json(
    { error: name === 'ollama' ? message : { type: 'invalid_request_error', message } },
    { status: 400 },
  )
}
