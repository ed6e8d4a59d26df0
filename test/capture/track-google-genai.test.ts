import { GoogleGenAI } from '@google/genai'
import { expect, expectTypeOf, it } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { trackClient } from '../../src/capture/track-client.js'
import type { StandInBehaviour } from '../support/provider-stand-in.js'
import { createArrayRecorder } from './array-recorder.js'
import { collect, expectCounted, startClients } from './stand-in-clients.js'

const request = { model: 'gemini-3-flash', contents: 'Wie viele?' }

async function startGemini(...behaviours: StandInBehaviour[]) {
  const { url, recorder, rows, calls } = await startClients(...behaviours)
  const gemini = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: url } })
  return { url, recorder, rows, calls, gemini, tracked: trackClient(gemini, recorder) }
}

it('records whole answers and streams, of models and of chats', async () => {
  const { gemini, tracked, rows, calls } = await startGemini()
  const chat = tracked.chats.create({ model: request.model })

  const answer = await tracked.models.generateContent(request)
  const chunks = await collect(await tracked.models.generateContentStream(request))
  await chat.sendMessage({ message: 'Wie viele?' })
  await collect(await chat.sendMessageStream({ message: 'Und jetzt?' }))

  expectTypeOf(tracked).toEqualTypeOf<GoogleGenAI>()
  expect(tracked).toBeInstanceOf(GoogleGenAI)
  expect(tracked.files).toBe(gemini.files)
  expect(answer.text).toBeTruthy()
  expect(chunks).toHaveLength(calls[1]?.parts ?? 0)
  expect(rows).toHaveLength(4)
  for (const [index, row] of rows.entries()) expectCounted(row, calls[index])
})

it('leaves the client itself as it was', async () => {
  const { gemini, rows, calls } = await startGemini()

  await gemini.models.generateContent(request)
  await gemini.chats.create({ model: request.model }).sendMessage({ message: 'Wie viele?' })

  expect(calls).toHaveLength(2)
  expect(rows).toEqual([])
})

it('records the calls of a client of Vertex AI, with its own way of authorising', async () => {
  const { url, recorder, rows, calls } = await startGemini()
  const authClient = { getRequestHeaders: async () => new Headers({ authorization: 'Bearer none' }) }
  const vertex = new GoogleGenAI({
    vertexai: true,
    project: 'mine',
    location: 'europe-west4',
    googleAuthOptions: { authClient: authClient as never },
    httpOptions: { baseUrl: url },
  })

  await collect(await trackClient(vertex, recorder).models.generateContentStream(request))

  expect(calls[0]?.path).toMatch(/^\/v1beta1\/projects\/mine\/locations\/europe-west4\/publishers\/google\/models\//)
  expectCounted(rows[0], calls[0])
})

it('counts once whatever is wrapped twice', async () => {
  const { url, recorder, rows, tracked } = await startGemini()
  const fetchOfUsage = createCapturingFetch(recorder, fetch)
  const capturing = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: url, fetch: fetchOfUsage } })

  await collect(await trackClient(tracked, recorder).models.generateContentStream(request))
  await trackClient(capturing, recorder).models.generateContent(request)

  expect(rows.map((row) => row.usageSource)).toEqual(['provider', 'provider'])
})

it('records a stream that its signal breaks off, and the provider sees the disconnect', async () => {
  const { rows, calls, tracked } = await startGemini({ words: 500, partDelayMs: 3 })
  const abort = new AbortController()
  const stream = await tracked.models.generateContentStream({ ...request, config: { abortSignal: abort.signal } })

  await expect(async () => {
    for await (const _chunk of stream) abort.abort()
  }).rejects.toThrow('aborted')

  expect(rows).toMatchObject([{ status: 'aborted', usageSource: 'provider_partial', modelName: request.model }])
  expect(rows[0]?.inputTokens).toBe(calls[0]?.counts.inputTokens)
  await expect.poll(() => calls[0]?.outcome).toBe('disconnected')
})

it('gives a stream up that is broken off without a signal, which the client leaves open', async () => {
  const { recorder, rows, tracked } = await startGemini({ words: 500, partDelayMs: 3 })

  for await (const _chunk of await tracked.models.generateContentStream(request)) break
  const [open] = recorder.openCalls
  open?.giveUp()

  expect(open?.unreadSince).toBeTypeOf('number')
  expect(rows).toMatchObject([{ status: 'aborted', usageSource: 'provider_partial' }])
})

it('records an error of the provider, before the answer and inside a stream, and every attempt', async () => {
  const { url, recorder, rows, calls } = await startGemini({ status: 503 }, {}, { status: 400 }, { errorAfterParts: 2 })
  const httpOptions = { baseUrl: url, retryOptions: { attempts: 2, initialDelay: 0.001 } }
  const tracked = trackClient(new GoogleGenAI({ apiKey: 'none', httpOptions }), recorder)

  await tracked.models.generateContent(request)
  await expect(tracked.models.generateContent(request)).rejects.toThrow('400')
  await expect(collect(await tracked.models.generateContentStream(request))).rejects.toThrow('overloaded')

  expect(rows.map((row) => row.status)).toEqual(['error', 'ok', 'error', 'error'])
  expectCounted(rows[1], calls[1])
})

it('lifts the time limits of Node from a request as the client itself does', async () => {
  const symbol = Symbol.for('undici.globalDispatcher.1')
  const dispatcher = Reflect.get(globalThis, symbol)
  const { gemini, tracked } = await startGemini()
  const limits: object[] = []
  const dispatch = (options: { headersTimeout?: number; bodyTimeout?: number }, handler: object) => {
    limits.push({ headersTimeout: options.headersTimeout, bodyTimeout: options.bodyTimeout })
    return dispatcher.dispatch(options, handler)
  }
  Reflect.set(globalThis, symbol, { dispatch })

  try {
    await gemini.models.generateContent(request)
    await tracked.models.generateContent(request)
  } finally {
    Reflect.set(globalThis, symbol, dispatcher)
  }

  expect(limits).toEqual([
    { headersTimeout: 0, bodyTimeout: 0 },
    { headersTimeout: 0, bodyTimeout: 0 },
  ])
})

it('records interactions, also of a client that has made some already', async () => {
  const usage = { total_input_tokens: 11, total_output_tokens: 7, total_thought_tokens: 5, total_tokens: 23 }
  const interaction = { id: 'i1', object: 'interaction', model: request.model, status: 'completed', steps: [], usage }
  const gemini = new GoogleGenAI({ apiKey: 'none', httpOptions: { fetch: async () => Response.json(interaction) } })
  const recorder = createArrayRecorder()
  const asked = { model: request.model, input: 'Wie viele?' }

  await gemini.interactions.create(asked)
  await trackClient(gemini, recorder).interactions.create(asked)

  expect(recorder.rows).toMatchObject([{ status: 'ok', modelName: request.model, inputTokens: 11, outputTokens: 12 }])
})
