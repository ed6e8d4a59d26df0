import OpenAI, { AzureOpenAI } from 'openai'
import { expect, it } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { trackClient } from '../../src/capture/track-client.js'
import { createArrayRecorder } from './array-recorder.js'
import { collect, expectCounted, messages, startClients } from './stand-in-clients.js'

it('counts once whatever is wrapped twice', async () => {
  const { url, openai, recorder, rows } = await startClients()
  const capturingFetch = createCapturingFetch(recorder, fetch)
  const options = { baseURL: `${url}/v1`, apiKey: 'none' }
  const clients = [
    trackClient(trackClient(openai, recorder), recorder),
    trackClient(new OpenAI({ ...options, fetch: capturingFetch }), recorder),
    trackClient(new OpenAI({ ...options, fetch: (input, init) => capturingFetch(input, { ...init }) }), recorder),
  ]

  for (const client of clients) {
    const stream = await client.chat.completions.create({ model: 'm', messages, stream: true })
    expect((await collect(stream)).every((chunk) => chunk.choices.length === 1)).toBe(true)
  }

  expect(rows.map((row) => row.usageSource)).toEqual(['provider', 'provider', 'provider'])
})

it('keeps the class, the settings and the fetch of a client, Azure included', async () => {
  const { url, recorder, rows, calls } = await startClients()
  const seen: string[] = []
  const ownFetch: typeof fetch = (input, init) => {
    seen.push(String(input))
    return fetch(input, init)
  }
  const settings = { apiVersion: '2025-04-01-preview', deployment: 'mine', apiKey: 'none', maxRetries: 0 }
  const azure = new AzureOpenAI({ endpoint: url, ...settings, fetch: ownFetch })

  const tracked = trackClient(azure, recorder)
  await tracked.chat.completions.create({ model: 'gpt-5', messages })

  expect(tracked).toBeInstanceOf(AzureOpenAI)
  expect(tracked).toMatchObject({ maxRetries: 0, apiVersion: '2025-04-01-preview', deploymentName: 'mine' })
  expect(seen).toEqual([`${url}/openai/deployments/mine/chat/completions?api-version=2025-04-01-preview`])
  expectCounted(rows[0], calls[0])
})

it('returns a client that it does not know, with a line that says what to do', () => {
  const recorder = createArrayRecorder()
  class Unknown {}
  const clients = [new Unknown(), { withOptions: () => ({ fetch }), fetch }]

  const tracked = clients.map((client) => trackClient(client, recorder))

  expect(tracked[0]).toBe(clients[0])
  expect(tracked[1]).toBe(clients[1])
  expect(recorder.lines).toHaveLength(2)
  expect(recorder.lines[0]).toMatch(/Unknown .*openai, @anthropic-ai\/sdk, ollama, .*usage\.fetch/)
})

it('keeps 60 calls at a time apart', async () => {
  const { openai, anthropic, recorder, rows, calls } = await startClients()
  const clients = { openai: trackClient(openai, recorder), anthropic: trackClient(anthropic, recorder) }

  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const request = { model: `model-${index}`, messages, stream: true } as const
      if (index % 2) await collect(await clients.openai.chat.completions.create(request))
      else await collect(await clients.anthropic.messages.create({ ...request, max_tokens: 9 }))
    }),
  )

  expect(rows).toHaveLength(60)
  for (const row of rows)
    expectCounted(
      row,
      calls.find((call) => call.model === row.modelName),
    )
})
