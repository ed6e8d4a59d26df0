import { expect, it } from 'vitest'
import { startProviders } from './start-providers.js'

it('sends a chat that is not streamed, with what the options say and nothing else', async () => {
  const { providers, calls } = await startProviders()

  await providers.ollama.execute('How many?', {
    model: 'other',
    system: 'Be brief.',
    maxOutputTokens: 50,
    temperature: 0,
  })
  await providers.ollama.execute('How many?')

  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'How many?' },
  ]
  expect(calls.map(({ path }) => path)).toEqual(['/api/chat', '/api/chat'])
  expect(calls[0]?.requestBody).toEqual({
    model: 'other',
    messages,
    stream: false,
    options: { num_predict: 50, temperature: 0 },
  })
  expect(calls[1]?.requestBody).toEqual({
    model: 'llama3.2',
    messages: messages.slice(1),
    stream: false,
    options: {},
  })
})
