import { expect, it } from 'vitest'
import { trackClient } from '../../src/capture/track-client.js'
import { collect, expectCounted, messages, startClients } from './stand-in-clients.js'

const request = { model: 'claude-sonnet-5', max_tokens: 100, messages }

it('records a whole answer and a stream, cache included', async () => {
  const { anthropic, recorder, rows, calls } = await startClients()
  const tracked = trackClient(anthropic, recorder)

  await tracked.messages.create(request)
  await collect(await tracked.messages.create({ ...request, stream: true }))
  await tracked.messages.stream(request).finalMessage()

  expect(rows).toHaveLength(3)
  for (const [index, row] of rows.entries()) {
    const { cacheReadTokens, cacheWriteTokens } = calls[index]?.counts ?? {}
    expectCounted(row, calls[index])
    expect(row).toMatchObject({ cacheReadTokens, cacheWriteTokens, rawUsage: { service_tier: 'standard' } })
  }
})

it('knows the input of a stream that is broken off', async () => {
  const { anthropic, recorder, rows, calls } = await startClients({ words: 500, partDelayMs: 3 })

  const stream = await trackClient(anthropic, recorder).messages.create({ ...request, stream: true })
  for await (const event of stream) if (event.type === 'content_block_delta') break

  expect(rows).toMatchObject([
    {
      status: 'aborted',
      usageSource: 'estimated',
      outputTokens: expect.any(Number),
      rawUsage: { estimated: ['outputTokens'] },
    },
  ])
  expect(rows[0]?.inputTokens).toBe(calls[0]?.counts.inputTokens)
  await expect.poll(() => calls[0]?.outcome).toBe('disconnected')
})

it('takes leaving after the last event for a normal end', async () => {
  const { anthropic, recorder, rows, calls } = await startClients()

  const stream = await trackClient(anthropic, recorder).messages.create({ ...request, stream: true })
  for await (const event of stream) if (event.type === 'message_stop') break

  expect(rows).toHaveLength(1)
  expectCounted(rows[0], calls[0])
})

it('records an error inside the stream and every attempt before an answer', async () => {
  const { anthropic, recorder, rows, calls } = await startClients({ status: 529 }, { errorAfterParts: 4 })
  const stream = await trackClient(anthropic, recorder).messages.create({ ...request, stream: true })

  await expect(collect(stream)).rejects.toThrow('Overloaded')

  expect(rows.map((row) => [row.status, row.usageSource])).toEqual([
    ['error', 'unknown'],
    ['error', 'estimated'],
  ])
  expect(rows[1]?.inputTokens).toBe(calls[1]?.counts.inputTokens)
})

it('records nothing for counting tokens beforehand', async () => {
  const { anthropic, recorder, rows } = await startClients()

  await trackClient(anthropic, recorder)
    .messages.countTokens(request)
    .catch(() => {})

  expect(rows).toEqual([])
})
