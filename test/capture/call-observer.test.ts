import { expect, it } from 'vitest'
import { answering, messages, post, useCaptureSetup } from './capture-setup.js'

const capture = useCaptureSetup()

it('records a request that gets no answer, and throws what was thrown', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const refused = new Error('connect ECONNREFUSED')
  const failing = capturing(() => Promise.reject(refused))

  await expect(failing(chatUrl, post({ model: 'm', messages }))).rejects.toBe(refused)
  await expect(failing(chatUrl, post({ model: 'm', messages }, AbortSignal.abort()))).rejects.toBe(refused)

  expect(recorder.rows.map((row) => row.status)).toEqual(['error', 'aborted'])
})

it('takes breaking off after the last counts for a normal end, with or without [DONE]', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const counts = 'data: {"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
  const finish = 'data: {"choices":[{"finish_reason":"stop"}]}\n\n'

  for (const text of [counts, finish]) {
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(Buffer.from(text)) })
    const response = await capturing(answering(body, 'text/event-stream'))(chatUrl, post({ model: 'm', messages }))
    for await (const _chunk of response.body ?? []) break
  }

  expect(recorder.rows.map((row) => [row.status, row.usageSource])).toEqual([
    ['ok', 'provider'],
    ['aborted', 'unknown'],
  ])
})

it('records a signal that fires while nobody reads', async () => {
  const setup = capture()
  const { standIn, recorder, capturingFetch } = setup
  setup.behaviour = { words: 300, partDelayMs: 3 }
  const abort = new AbortController()
  await capturingFetch(`${standIn.url}/v1/messages`, post({ model: 'm', messages, stream: true }, abort.signal))

  abort.abort()

  await expect.poll(() => recorder.rows).toMatchObject([{ status: 'aborted' }])
})

it('takes breaking off after [DONE] for a normal end, and in the middle for an abort', async () => {
  const { recorder, capturingFetch, chatUrl } = capture()
  const request = post({ model: 'm', messages, stream: true, stream_options: { include_usage: true } })
  for (const last of ['[DONE]', '"content"']) {
    const response = await capturingFetch(chatUrl, request)
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) if (decoder.decode(chunk, { stream: true }).includes(last)) break
  }

  expect(recorder.rows.map((row) => row.status)).toEqual(['ok', 'aborted'])
})

it.each([
  [
    'without a blank line at its end',
    'data: {"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}',
    'ok',
    3,
  ],
  ['with an unfinished character', Buffer.from('data: {"id":"\xff', 'latin1'), 'error', null],
])('reads a stream %s', async (_what, text, status, inputTokens) => {
  const { recorder, chatUrl, capturing } = capture()
  const innerFetch = answering(text, 'text/event-stream')

  await (await capturing(innerFetch)(chatUrl, post({ model: 'm', messages }))).text()

  expect(recorder.rows).toMatchObject([{ status, inputTokens }])
})

it('reads a last line without its end', async () => {
  const { standIn, recorder, capturing } = capture()
  const line = '{"model":"llama","response":"","done":true,"prompt_eval_count":3,"eval_count":4}'
  const innerFetch = answering(line, 'application/x-ndjson')

  await (await capturing(innerFetch)(`${standIn.url}/api/generate`, post({ model: 'm' }))).text()

  expect(recorder.rows).toMatchObject([{ status: 'ok', inputTokens: 3, modelName: 'llama' }])
})

it('takes a stream that ends before the model had finished for an error, and estimates what it told', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const text = 'data: {"id":"x","model":"m","choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n'
  const innerFetch = answering(text, 'text/event-stream')

  await (await capturing(innerFetch)(chatUrl, post({ model: 'm', messages }))).text()

  expect(recorder.rows).toMatchObject([{ status: 'error', usageSource: 'estimated', outputTokens: 1 }])
})

it('keeps the numbers of an answer whose texts are huge', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 }
  const choices = [{ message: { content: 'x\\"é'.repeat(4_000_000) }, finish_reason: 'stop' }]
  const innerFetch = answering(JSON.stringify({ id: 'i', model: 'm', choices, usage }), 'application/json')

  await (await capturing(innerFetch)(chatUrl, post({ messages }))).arrayBuffer()

  expect(recorder.rows).toMatchObject([{ status: 'ok', usageSource: 'provider', inputTokens: 3, outputTokens: 4 }])
})

it.each([
  ['text/event-stream', `data: [${'1,'.repeat(600_000)}1]\n\n`],
  ['application/x-ndjson', `[${'1,'.repeat(600_000)}1]\n`],
  ['application/json', `[${'1,'.repeat(9_000_000)}1]`],
])('passes a %s answer beyond the bound and says that its usage is unknown', async (contentType, text) => {
  const { recorder, chatUrl, capturing } = capture()
  const pieces = Array.from({ length: Math.ceil(text.length / 65_536) }, (_, index) =>
    text.slice(index * 65_536, (index + 1) * 65_536),
  )
  const body = ReadableStream.from(pieces.map((piece) => Buffer.from(piece)))
  const innerFetch = answering(body, contentType)

  const response = await capturing(innerFetch)(chatUrl, post({ model: 'm', messages }))

  expect((await response.text()).length).toBe(text.length)
  expect(recorder.rows).toMatchObject([{ status: 'ok', usageSource: 'unknown' }])
  expect(recorder.lines).toEqual([expect.stringContaining('too long to be read')])
})
