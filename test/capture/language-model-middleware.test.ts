import { setImmediate } from 'node:timers/promises'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, type LanguageModelMiddleware, streamText, wrapLanguageModel } from 'ai'
import { convertArrayToReadableStream, MockLanguageModelV3 } from 'ai/test'
import { expect, expectTypeOf, it } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { createLanguageModelMiddleware } from '../../src/capture/language-model-middleware.js'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'
import type { StandInBehaviour } from '../support/provider-stand-in.js'
import { createArrayRecorder } from './array-recorder.js'
import { collect, expectCounted, startClients } from './stand-in-clients.js'

const prompt = 'Wie viele?'
const quiet = { onError: () => {} }

/** A model of the AI SDK, recorded by the middleware, and one whose provider has a capturing fetch besides. */
async function startModels(...behaviours: StandInBehaviour[]) {
  const { url, recorder, rows, calls } = await startClients(...behaviours)
  const middleware = createLanguageModelMiddleware(recorder)
  const settings = { baseURL: `${url}/v1`, apiKey: 'none' }
  const capturing = createOpenAI({ ...settings, fetch: createCapturingFetch(recorder, fetch) })
  const model = wrapLanguageModel({ model: createOpenAI(settings).chat('gpt-5'), middleware })
  const twice = wrapLanguageModel({ model: capturing.chat('gpt-5'), middleware: [middleware, middleware] })
  return { recorder, rows, calls, model, twice, capturing }
}

it('is a middleware of the AI SDK', () => {
  const middleware = createLanguageModelMiddleware(createArrayRecorder())

  expectTypeOf(middleware).toExtend<LanguageModelMiddleware>()
})

it('records generateText and streamText with the counts of the provider', async () => {
  const { rows, calls, model } = await startModels()

  const { text } = await generateText({ model, prompt })
  const deltas = await collect(streamText({ model, prompt }).textStream)

  expect(text).toBeTruthy()
  expect(deltas.length).toBeGreaterThan(1)
  expect(rows).toHaveLength(2)
  for (const [index, row] of rows.entries()) {
    const { cacheReadTokens, reasoningTokens } = calls[index]?.counts ?? {}
    expectCounted(row, calls[index])
    expect(row).toMatchObject({ cacheReadTokens, reasoningTokens })
    expect(row.rawUsage).toMatchObject({ prompt_tokens: calls[index]?.counts.inputTokens })
  }
})

it('counts once together with a capturing fetch and with itself, which leaves the row to the fetch', async () => {
  const { recorder, rows, calls, twice } = await startModels()

  await generateText({ model: twice, prompt })
  await collect(streamText({ model: twice, prompt }).textStream)

  expect(rows).toHaveLength(2)
  for (const [index, row] of rows.entries()) {
    expectCounted(row, calls[index])
    expect(row.rawUsage).toMatchObject({ service_tier: 'default' })
  }
  expect(recorder.openCalls.size).toBe(0)
})

it('records every attempt and what is broken off, alone and with a capturing fetch', async () => {
  for (const which of ['model', 'twice'] as const) {
    const slow = { words: 500, partDelayMs: 3 }
    const { rows, calls, ...models } = await startModels({ status: 503 }, {}, slow, { cutAfterParts: 4 })
    const abort = new AbortController()

    await generateText({ model: models[which], prompt })
    const stream = streamText({ model: models[which], prompt, abortSignal: abort.signal, ...quiet }).textStream
    let deltas = 0
    for await (const _delta of stream) if (++deltas === 5) abort.abort()
    await streamText({ model: models[which], prompt, ...quiet }).consumeStream()

    await expect.poll(() => rows.map((row) => row.status)).toEqual(['error', 'ok', 'aborted', 'error'])
    expectCounted(rows[1], calls[1])
    expect(rows[2]).toMatchObject({ usageSource: 'estimated', modelName: 'gpt-5', provider: 'openai' })
    expect(rows[2]?.responseId).toBe(calls[2]?.responseId)
    await expect.poll(() => calls[2]?.outcome).toBe('disconnected')
  }
})

it('leaves one row for a stream that the application leaves, which the AI SDK may read to its end', async () => {
  const { recorder, rows, calls, model } = await startModels({ words: 50 })

  for await (const _delta of streamText({ model, prompt }).textStream) break
  await expect.poll(() => calls[0]?.outcome).toBe('complete')
  for (const open of recorder.openCalls) open.giveUp()

  expect(rows).toMatchObject([{ modelName: 'gpt-5', provider: 'openai', responseId: calls[0]?.responseId }])
})

it('gives a stream up that nobody reads, alone and with a capturing fetch', async () => {
  for (const which of ['model', 'twice'] as const) {
    const { recorder, rows, ...models } = await startModels({ partDelayMs: 200 })

    const { stream } = await models[which].doStream({ prompt: [] })
    const [open] = recorder.openCalls
    const { reading } = await readUntilPending(stream)
    const whileReading = open?.unreadSince
    await reading
    await expect.poll(() => open?.unreadSince).toBeTypeOf('number')
    open?.giveUp()

    expect(whileReading).toBeUndefined()
    expect(rows).toMatchObject([{ status: 'aborted', provider: 'openai', modelName: 'gpt-5' }])
    expect(recorder.openCalls.size).toBe(0)
  }
})

it('gives a stream up of which nobody reads the first part', async () => {
  const { recorder, model } = await startModels()

  await model.doStream({ prompt: [] })

  expect([...recorder.openCalls][0]?.unreadSince).toBeTypeOf('number')
})

it('breaks off the provider with a stream that is cancelled', async () => {
  const { rows, calls, model } = await startModels({ words: 500, partDelayMs: 3 })

  const { stream } = await model.doStream({ prompt: [] })
  await stream.cancel()

  expect(rows).toMatchObject([{ status: 'aborted' }])
  await expect.poll(() => calls[0]?.outcome).toBe('disconnected')
})

it('keeps its own row where a capturing fetch inside the call makes another kind of call', async () => {
  const { recorder, rows } = await startModels()
  const embed = createCapturingFetch(recorder, async () => Response.json({ data: [], usage: { prompt_tokens: 3 } }))
  const model = mockModel(async () => {
    const request = { method: 'POST', body: '{"input":"a","model":"e"}' }
    await (await embed('https://api.openai.com/v1/embeddings', request)).json()
    return result
  })

  await generateText({
    model: wrapLanguageModel({ model, middleware: createLanguageModelMiddleware(recorder) }),
    prompt,
  })

  expect(rows).toMatchObject([
    { requestType: 'embedding', inputTokens: 3 },
    { requestType: 'chat', inputTokens: 140, cacheReadTokens: 100, outputTokens: 50 },
  ])
})

it('records the totals of the AI SDK, cache and reasoning included, and what it does not know as unknown', async () => {
  const { recorder, rows } = await startModels()
  const middleware = createLanguageModelMiddleware(recorder)
  const nothing = { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined }
  const unknown = { inputTokens: nothing, outputTokens: { total: undefined, text: undefined, reasoning: undefined } }

  for (const usage of [result.usage, unknown]) {
    const model = mockModel(async () => ({ ...result, usage }))
    await generateText({ model: wrapLanguageModel({ model, middleware }), prompt })
  }

  expect(rows).toMatchObject([
    {
      provider: 'bedrock',
      modelName: 'claude-sonnet-5-20260101',
      responseId: 'msg_1',
      usageSource: 'provider',
      inputTokens: 140,
      outputTokens: 50,
      cacheReadTokens: 100,
      cacheWriteTokens: 20,
      reasoningTokens: 30,
      rawUsage: { input_tokens: 20, service_tier: 'standard' },
    },
    { usageSource: 'unknown', inputTokens: null, outputTokens: null },
  ])
})

it('records a stream that ends without its last part as an error, and one whose part is an error', async () => {
  const { recorder, rows } = await startModels()
  const middleware = createLanguageModelMiddleware(recorder)
  const text = { type: 'text-delta', id: '1', delta: 'three words here' } as const
  const error = { type: 'error', error: new Error('overloaded') } as const
  const finish = { type: 'finish', usage: result.usage, finishReason: result.finishReason } as const

  for (const parts of [[text], [text, error, finish]]) {
    const model = new MockLanguageModelV3({
      doStream: async () => ({ stream: convertArrayToReadableStream([...parts]) }),
    })
    const { stream } = await wrapLanguageModel({ model, middleware }).doStream({ prompt: [] })
    await collect(stream)
  }

  expect(rows).toMatchObject([
    { status: 'error', usageSource: 'estimated' },
    { status: 'error', usageSource: 'estimated' },
  ])
})

it('comes with a logger: it knows the user of the request, and passes calls on where logging is off', async () => {
  for (const enabled of [true, false]) {
    const exporter = new MemoryExporter()
    const usage = createUsageLogger({ enabled, exporter })
    const model = wrapLanguageModel({ model: mockModel(async () => result), middleware: usage.aiSdk() })

    const { text } = await usage.run({ user: 'ann@example.com' }, () => generateText({ model, prompt }))
    await usage.close()

    expect(text).toBe('Drei.')
    expect(exporter.records.map((record) => record.userEmail)).toEqual(enabled ? ['ann@example.com'] : [])
  }
})

const result = {
  content: [{ type: 'text' as const, text: 'Drei.' }],
  finishReason: { unified: 'stop' as const, raw: 'stop' },
  usage: {
    inputTokens: { total: 140, noCache: 20, cacheRead: 100, cacheWrite: 20 },
    outputTokens: { total: 50, text: 20, reasoning: 30 },
    raw: { input_tokens: 20, service_tier: 'standard', text: 'never kept' },
  },
  response: { id: 'msg_1', modelId: 'claude-sonnet-5-20260101' },
  warnings: [],
}

/** Reads what is there, and returns the read that has to wait, wrapped so that nobody waits for it. */
async function readUntilPending(stream: ReadableStream): Promise<{ readonly reading: Promise<unknown> }> {
  const reader = stream.getReader()
  for (;;) {
    const reading = reader.read()
    const isPending = await Promise.race([reading.then(() => false), turns(5).then(() => true)])
    if (isPending) return { reading }
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate()
}

function mockModel(doGenerate: MockLanguageModelV3['doGenerate']): MockLanguageModelV3 {
  return new MockLanguageModelV3({ provider: 'amazon-bedrock', modelId: 'claude', doGenerate })
}
