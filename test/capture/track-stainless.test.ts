import { Cerebras } from '@cerebras/cerebras_cloud_sdk'
import Groq from 'groq-sdk'
import Together from 'together-ai'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { trackClient } from '../../src/capture/track-client.js'
import type { UsageRecorder } from '../../src/recording/usage-recorder.js'
import { createArrayRecorder } from './array-recorder.js'
import { collect, expectCounted, messages, startClients } from './stand-in-clients.js'

type Chunk = { readonly choices: readonly object[] | null }
type Options = { readonly signal?: AbortSignal }

/** What the three clients have in common, as functions that keep the type of each. */
type Chat = {
  ask(options?: Options): Promise<object>
  stream(options?: Options): Promise<AsyncIterable<Chunk>>
}

const request = { model: 'llama-4-scout', messages }
const streamed = { ...request, stream: true } as const
const settings = { apiKey: 'none', maxRetries: 1 }

type Case = {
  readonly name: string
  readonly dialect: 'groq' | 'together' | 'cerebras'
  /** The client, wrapped as the test says. */
  chatOf(url: string, wrap: <T extends object>(client: T) => T, options?: object): Chat
}

const clients: readonly Case[] = [
  {
    name: 'groq-sdk',
    dialect: 'groq',
    chatOf(url, wrap, options) {
      const groq = wrap(new Groq({ ...settings, baseURL: url, ...options }))
      expectTypeOf(groq).toEqualTypeOf<Groq>()
      expect(groq).toBeInstanceOf(Groq)
      return {
        ask: (options) => groq.chat.completions.create(request, options),
        stream: (options) => groq.chat.completions.create(streamed, options),
      }
    },
  },
  {
    name: 'together-ai',
    dialect: 'together',
    chatOf(url, wrap, options) {
      const together = wrap(new Together({ ...settings, baseURL: `${url}/v1`, ...options }))
      expectTypeOf(together).toEqualTypeOf<Together>()
      expect(together).toBeInstanceOf(Together)
      return {
        ask: (options) => together.chat.completions.create(request, options),
        stream: (options) => together.chat.completions.create(streamed, options),
      }
    },
  },
  {
    name: '@cerebras/cerebras_cloud_sdk',
    dialect: 'cerebras',
    chatOf(url, wrap, options) {
      const cerebras = wrap(new Cerebras({ ...settings, baseURL: url, warmTCPConnection: false, ...options }))
      expectTypeOf(cerebras).toEqualTypeOf<Cerebras>()
      expect(cerebras).toBeInstanceOf(Cerebras)
      return {
        ask: (options) => cerebras.chat.completions.create(request, options),
        stream: async (options) => (await cerebras.chat.completions.create(streamed, options)) as AsyncIterable<Chunk>,
      }
    },
  },
]

const trackedBy =
  (recorder: UsageRecorder) =>
  <T extends object>(client: T): T =>
    trackClient(client, recorder)

describe.each(clients)('$name', ({ dialect, chatOf }) => {
  it('records a whole answer and a stream with the counts of the provider', async () => {
    const { url, recorder, rows, calls } = await startClients({ dialect }, { dialect })
    const chat = chatOf(url, trackedBy(recorder))

    const answer = await chat.ask()
    const chunks = await collect(await chat.stream())

    expect(answer).toHaveProperty('choices.length', 1)
    expect(chunks.every((chunk) => chunk.choices?.length === 1)).toBe(true)
    expect(rows).toHaveLength(2)
    for (const [index, row] of rows.entries()) expectCounted(row, calls[index])
  })

  it('records a stream that is broken off, and the provider sees the disconnect', async () => {
    const { url, recorder, rows, calls } = await startClients({ dialect, words: 500, partDelayMs: 3 })

    let chunks = 0
    for await (const _chunk of await chatOf(url, trackedBy(recorder)).stream()) if (++chunks === 9) break

    await expect
      .poll(() => rows)
      .toMatchObject([{ status: 'aborted', usageSource: 'estimated', modelName: request.model }])
    await expect.poll(() => calls[0]?.outcome).toBe('disconnected')
  })

  it('records a call whose signal fires before there is an answer', async () => {
    const { url, recorder, rows, calls } = await startClients({ dialect, partDelayMs: 5000 })
    const abort = new AbortController()

    const waiting = chatOf(url, trackedBy(recorder)).ask({ signal: abort.signal })
    await expect.poll(() => calls.length).toBe(1)
    abort.abort()

    await expect(waiting).rejects.toThrow('aborted')
    await expect.poll(() => rows).toMatchObject([{ status: 'aborted', usageSource: 'unknown' }])
  })

  it('records every attempt, and an answer that is cut', async () => {
    const { url, recorder, rows, calls } = await startClients(
      { status: 503 },
      { dialect },
      { dialect, cutAfterParts: 4 },
    )
    const chat = chatOf(url, trackedBy(recorder))

    await chat.ask()
    await expect(collect(await chat.stream())).rejects.toThrow()

    await expect.poll(() => rows.map((row) => row.status)).toEqual(['error', 'ok', 'error'])
    expectCounted(rows[1], calls[1])
  })

  it('counts once whatever is wrapped twice, and leaves the client itself as it was', async () => {
    const { url, recorder, rows, calls } = await startClients({ dialect }, { dialect }, { dialect })
    const track = trackedBy(recorder)
    const capturingFetch = createCapturingFetch(recorder, fetch)

    await chatOf(url, (client) => track(track(client))).ask()
    await chatOf(url, track, { fetch: capturingFetch }).ask()
    await chatOf(url, (client) => [client, track(client)][0] ?? client).ask()

    expect(calls).toHaveLength(3)
    expect(rows.map((row) => row.usageSource)).toEqual(['provider', 'provider'])
  })
})

it('opens no connection of its own for a client of Cerebras', async () => {
  const paths: string[] = []
  const fetchPath = async (input: unknown) => {
    paths.push(new URL(String(input)).pathname)
    return Response.json({})
  }

  const cerebras = new Cerebras({ ...settings, fetch: fetchPath as never })
  trackClient(cerebras, createArrayRecorder())

  await expect.poll(() => paths).toEqual(['/v1/tcp_warming'])
})

it('takes over what the application has set on a client since it made it', async () => {
  const { url, recorder } = await startClients()
  const cerebras = new Cerebras({ ...settings, baseURL: 'http://127.0.0.1:1', warmTCPConnection: false })
  cerebras.apiKey = 'changed'
  cerebras.baseURL = url

  const tracked = trackClient(cerebras, recorder)

  expect(tracked).toMatchObject({ apiKey: 'changed', baseURL: url, maxRetries: 1 })
})
