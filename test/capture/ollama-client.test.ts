import { Ollama } from 'ollama'
import { expect, it } from 'vitest'
import { trackClient } from '../../src/capture/track-client.js'
import { collect, expectCounted, messages, startClients } from './stand-in-clients.js'

const chat = { model: 'llama3.3', messages }
const generate = { model: 'llama3.3', prompt: 'Wie viele?' }

it('records chat and generate, whole and streamed', async () => {
  const { ollama, recorder, rows, calls } = await startClients()
  const tracked = trackClient(ollama, recorder)

  await tracked.chat(chat)
  await tracked.generate(generate)
  await collect(await tracked.chat({ ...chat, stream: true }))
  await collect(await tracked.generate({ ...generate, stream: true }))

  expect(tracked).toBeInstanceOf(Ollama)
  expect(rows).toHaveLength(4)
  for (const [index, row] of rows.entries()) expectCounted(row, calls[index])
  expect(rows[0]?.rawUsage).toMatchObject({ eval_count: calls[0]?.counts.outputTokens })
})

it('stops what abort() is called on, and nothing of the client underneath', async () => {
  const slow = { words: 400, partDelayMs: 3 }
  const { ollama, recorder, rows, calls } = await startClients(slow, slow)
  const tracked = trackClient(ollama, recorder)
  const untracked = await ollama.chat({ ...chat, stream: true })
  // Node cancels the body of an answer that nobody has begun to read as soon as the answer itself is collected.
  await untracked[Symbol.asyncIterator]().next()
  const stream = await tracked.chat({ ...chat, stream: true })

  await expect(async () => {
    for await (const _part of stream) tracked.abort()
  }).rejects.toThrow('aborted')

  expect(rows).toMatchObject([{ status: 'aborted', usageSource: 'estimated', modelName: 'llama3.3' }])
  await expect.poll(() => calls[1]?.outcome).toBe('disconnected')
  expect(calls[0]?.outcome).toBe('answering')
  untracked.abort()
})

it('records an error inside the stream', async () => {
  const { ollama, recorder, rows } = await startClients({ errorAfterParts: 2 })
  const stream = await trackClient(ollama, recorder).chat({ ...chat, stream: true })

  await expect(collect(stream)).rejects.toThrow('unexpectedly stopped')

  expect(rows).toMatchObject([{ status: 'error', usageSource: 'estimated' }])
})
