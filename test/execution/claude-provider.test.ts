import { expect, it } from 'vitest'
import { changing, startProviders } from './start-providers.js'

it('sends a message, with a limit of 4096 tokens where the options say none', async () => {
  const { providers, calls } = await startProviders()

  await providers.anthropic.execute('How many?', {
    model: 'other',
    system: 'Be brief.',
    maxOutputTokens: 50,
    temperature: 0,
  })
  await providers.anthropic.execute('How many?')

  const messages = [{ role: 'user', content: 'How many?' }]
  expect(calls.map(({ path }) => path)).toEqual(['/v1/messages', '/v1/messages'])
  expect(calls[0]?.requestBody).toEqual({
    model: 'other',
    system: 'Be brief.',
    messages,
    max_tokens: 50,
    temperature: 0,
  })
  expect(calls[1]?.requestBody).toEqual({ model: 'claude-sonnet-5-5', messages, max_tokens: 4096 })
})

it('returns the text without thoughts and other blocks', async () => {
  const content = [
    { type: 'thinking', thinking: 'Let me count.', signature: 'none' },
    { type: 'of another kind', text: 'Hm.' },
    { type: 'text', text: 'Forty-' },
    { type: 'text', text: 'two.' },
  ]
  const { providers } = await startProviders({ fetch: changing((document) => ({ ...document, content })) })

  const result = await providers.anthropic.execute('How many?')

  expect(result.output).toBe('Forty-two.')
})
