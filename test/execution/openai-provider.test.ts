import OpenAI from 'openai'
import { expect, it } from 'vitest'
import { createOpenAIProvider } from '../../src/index.js'
import { changing, startProviders } from './start-providers.js'

it('sends a chat completion, with what the options say and nothing else', async () => {
  const { providers, calls } = await startProviders()

  await providers.openai.execute('How many?', {
    model: 'other',
    system: 'Be brief.',
    maxOutputTokens: 50,
    temperature: 0,
  })
  await providers.openai.execute('How many?')

  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'How many?' },
  ]
  expect(calls.map(({ path }) => path)).toEqual(['/v1/chat/completions', '/v1/chat/completions'])
  expect(calls[0]?.requestBody).toEqual({ model: 'other', messages, max_completion_tokens: 50, temperature: 0 })
  expect(calls[1]?.requestBody).toEqual({ model: 'gpt-5', messages: messages.slice(1) })
})

it('names the provider as the row does where the client calls another host that speaks the same', async () => {
  const { url, usage, calls, rows } = await startProviders()
  const reroute: typeof fetch = (_input, init) => fetch(`${url}/v1/chat/completions`, init)
  const groq = new OpenAI({ baseURL: 'https://api.groq.com/openai/v1', apiKey: 'none', fetch: reroute })

  const result = await createOpenAIProvider(groq, { model: 'llama-3.3-70b', usage }).execute('How many?')

  expect(calls).toHaveLength(1)
  expect(result.provider).toBe('groq')
  expect(await rows()).toMatchObject([{ provider: 'groq' }])
})

it('counts each answer that the client retried, and returns the counts of the last', async () => {
  const { url, usage, calls, rows } = await startProviders()
  let tries = 0
  const failFirst: typeof fetch = (input, init) =>
    tries++ === 0
      ? Promise.resolve(new Response('{}', { status: 500, headers: { 'retry-after-ms': '1' } }))
      : fetch(input, init)
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', fetch: failFirst })

  const result = await createOpenAIProvider(client, { model: 'gpt-5', usage }).execute('How many?')

  expect(result).toMatchObject({
    inputTokensUsed: calls[0]?.counts.inputTokens,
    outputTokensUsed: calls[0]?.counts.outputTokens,
  })
  expect((await rows()).map(({ status }) => status).sort()).toEqual(['error', 'ok'])
})

it('returns a refusal as the output', async () => {
  const choices = [{ index: 0, message: { role: 'assistant', content: null, refusal: 'I cannot.' } }]
  const { providers } = await startProviders({ fetch: changing((document) => ({ ...document, choices })) })

  const result = await providers.openai.execute('How many?')

  expect(result.output).toBe('I cannot.')
})

it('goes on where the counts of an answer cannot be read', async () => {
  const { usage } = await startProviders()
  const answer = {
    model: 'gpt-5',
    choices: [{ message: { content: 'Forty-two.' } }],
    get usage(): object {
      throw new Error('the counts cannot be read')
    },
  }
  const client = { chat: { completions: { create: async () => answer } } }

  const result = await createOpenAIProvider(client, { model: 'gpt-5', usage }).execute('How many?')

  expect(result).toMatchObject({ output: 'Forty-two.', inputTokensUsed: 0, outputTokensUsed: 0 })
})
