import Anthropic from '@anthropic-ai/sdk'
import { Ollama } from 'ollama'
import OpenAI from 'openai'
import { expect, it, onTestFinished } from 'vitest'
import { trackClient } from '../../src/capture/track-client.js'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'
import { startProviderStandIn } from '../support/provider-stand-in.js'
import { createArrayRecorder } from './array-recorder.js'
import { messages } from './stand-in-clients.js'

const shortAnswer = { words: 6, partDelayMs: 1 }

/** Opens a stream by an official client; `abort` is its own way to break it off. */
type Open = (url: string) => Promise<{ readonly stream: AsyncIterable<unknown>; abort(): void }>

async function startStandIn(behaviour: object) {
  const standIn = await startProviderStandIn({ seed: 7, behave: () => behaviour })
  onTestFinished(() => standIn.close())
  return standIn
}

function clientsOf(recorder: ReturnType<typeof createArrayRecorder>): Record<string, Open> {
  return {
    async openai(url) {
      const client = trackClient(new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' }), recorder)
      const stream = await client.chat.completions.create({ model: 'm', messages, stream: true })
      return { stream, abort: () => stream.controller.abort() }
    },
    async anthropic(url) {
      const client = trackClient(new Anthropic({ baseURL: url, apiKey: 'none' }), recorder)
      const stream = await client.messages.create({ model: 'm', max_tokens: 9, messages, stream: true })
      return { stream, abort: () => stream.controller.abort() }
    },
    async ollama(url) {
      const stream = await trackClient(new Ollama({ host: url }), recorder).chat({ model: 'm', messages, stream: true })
      return { stream, abort: () => stream.abort() }
    },
  }
}

const breaking = ['openai', 'anthropic'].map((client) => [client, 'break'] as const)
const aborting = ['openai', 'anthropic', 'ollama'].map((client) => [client, 'abort'] as const)

it.each([...breaking, ...aborting])(
  'leaves one row for each stream of %s, at whichever item it is left by %s',
  async (name, way) => {
    const recorder = createArrayRecorder()
    const standIn = await startStandIn(shortAnswer)
    const open = clientsOf(recorder)[name] as Open
    let left = true

    for (let index = 0; left; index++) {
      const { stream, abort } = await open(standIn.url)
      left = await leaveAt(stream, index, way === 'abort' ? abort : undefined)
      await expect.poll(() => recorder.rows.length).toBe(index + 1)
    }

    expect(recorder.rows).toHaveLength(standIn.calls.length)
    expect(recorder.rows.length).toBeGreaterThan(6)
    expect(recorder.rows[0]?.status).toBe('aborted')
    expect(recorder.rows.at(-1)).toMatchObject({ status: 'ok', usageSource: 'provider' })
    expect(recorder.openCalls.size).toBe(0)
  },
)

it('records a call that a client gives up after its own time limit as aborted', async () => {
  const recorder = createArrayRecorder()
  const standIn = await startStandIn({ headDelayMs: 3_600_000 })
  const settings = { apiKey: 'none', timeout: 30, maxRetries: 1 }
  const openai = trackClient(new OpenAI({ baseURL: `${standIn.url}/v1`, ...settings }), recorder)

  await expect(openai.chat.completions.create({ model: 'm', messages })).rejects.toThrow('timed out')
  await expect
    .poll(() => recorder.rows)
    .toMatchObject([
      { status: 'aborted', usageSource: 'unknown' },
      { status: 'aborted', usageSource: 'unknown' },
    ])
  // On a busy machine the limit may be over before the stand-in is asked.
  await expect.poll(() => standIn.calls.filter(({ outcome }) => outcome !== 'disconnected')).toEqual([])
})

it('records a stream that the client of Ollama leaves open when its loop is left', async () => {
  const standIn = await startStandIn({ words: 2000, partDelayMs: 1 })
  const exporter = new MemoryExporter()
  const usage = createUsageLogger({ enabled: true, exporter, batchSize: 1, streamTimeoutMs: 100, logger: quiet })
  onTestFinished(() => usage.close())
  const ollama = usage.track(new Ollama({ host: standIn.url }))

  const stream = await usage.run({ user: 'ann@example.com' }, () => ollama.chat({ model: 'm', messages, stream: true }))
  for await (const _part of stream) break

  await expect.poll(() => exporter.records).toHaveLength(1)
  const [row] = exporter.records
  expect(row).toMatchObject({ status: 'aborted', usageSource: 'estimated', userEmail: 'ann@example.com' })
  expect(standIn.calls[0]?.outcome).toBe('answering')
  stream.abort()
})

/** False where the stream ended before. */
async function leaveAt(stream: AsyncIterable<unknown>, index: number, abort?: () => void): Promise<boolean> {
  let items = 0
  try {
    for await (const _item of stream) {
      if (items++ < index) continue
      if (abort === undefined) return true
      abort()
    }
  } catch {
    return true
  }
  return items > index
}

const quiet = { info: () => {}, warn: () => {}, error: () => {} }
