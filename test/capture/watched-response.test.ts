import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { answering, messages, post, useCaptureSetup } from './capture-setup.js'

const capture = useCaptureSetup()

it.each([
  ['/v1/chat/completions', { model: 'm', messages }],
  ['/v1/chat/completions', { model: 'm', messages, stream: true, stream_options: { include_usage: true } }],
  ['/v1/images/generations', { model: 'gpt-image-1', prompt: 'a ledger' }],
  ['/v1/messages', { model: 'm', messages, max_tokens: 9 }],
  ['/v1/messages', { model: 'm', messages, max_tokens: 9, stream: true }],
  ['/api/chat', { model: 'm', messages }],
  ['/api/generate', { model: 'm', prompt: 'Wie viele?', stream: false }],
])('passes every byte of %s as it is', async (path, body) => {
  const { standIn, recorder, capturing } = capture()
  let sent = ''
  const innerFetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    sent = await response.text()
    const bytes = Buffer.from(sent)
    const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, index) =>
      bytes.subarray(index * 7, index * 7 + 7),
    )
    return new Response(ReadableStream.from(chunks), response)
  }

  const response = await capturing(innerFetch)(standIn.url + path, post(body))

  expect(await response.text()).toBe(sent)
  expect(sent.length).toBeGreaterThan(0)
  expect(recorder.rows).toMatchObject([{ status: 'ok' }])
})

it('hands on the first chunk while the provider is still writing, and stops it when the body is cancelled', async () => {
  const setup = capture()
  const { standIn, recorder, capturingFetch, chatUrl } = setup
  setup.behaviour = { words: 200, partDelayMs: 2 }

  const response = await capturingFetch(chatUrl, post({ model: 'm', messages, stream: true }))
  const reader = response.body?.getReader()
  const { value } = (await reader?.read()) ?? {}

  expect(value?.length).toBeGreaterThan(0)
  expect(standIn.calls[0]?.outcome).toBe('answering')
  expect(recorder.rows).toEqual([])
  await reader?.cancel()
  await expect.poll(() => standIn.calls[0]?.outcome).toBe('disconnected')
  expect(recorder.rows).toMatchObject([{ status: 'aborted' }])
})

it('reads nothing ahead of the application', async () => {
  const { standIn, capturing } = capture()
  let pulls = 0
  const source = new ReadableStream(
    { pull: (controller) => void controller.enqueue(Buffer.from(`{"n":${pulls++}}\n`)) },
    { highWaterMark: 0 },
  )
  const innerFetch = answering(source, 'application/x-ndjson')

  const response = await capturing(innerFetch)(`${standIn.url}/api/chat`, post({ model: 'm' }))
  const reader = response.body?.getReader()
  await reader?.read()
  await reader?.read()
  await new Promise(setImmediate)

  expect(pulls).toBe(2)
  await reader?.cancel()
})

it('breaks off an answer that the application has forgotten', async () => {
  const setup = capture()
  const { standIn, recorder, capturingFetch, chatUrl } = setup
  setup.behaviour = { words: 20_000 }
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')

  for (let call = 0; call < 5; call++) await capturingFetch(chatUrl, post({ model: 'm', messages, stream: true }))

  const outcomes = () => {
    collectGarbage()
    return standIn.calls.map((call) => call.outcome)
  }
  await expect.poll(outcomes).toEqual(Array(5).fill('disconnected'))
  expect(recorder.rows.map((row) => row.status)).toEqual(Array(5).fill('aborted'))
})

it('breaks with the signal also where the body underneath never does', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const abort = new AbortController()
  let isCancelled = false
  const body = new ReadableStream({
    pull: () => new Promise(() => {}),
    cancel() {
      isCancelled = true
    },
  })
  const response = await capturing(answering(body, 'text/event-stream'))(
    chatUrl,
    post({ model: 'm', messages, stream: true }, abort.signal),
  )

  abort.abort(new Error('enough'))

  await expect(response.text()).rejects.toThrow('enough')
  expect(isCancelled).toBe(true)
  expect(recorder.rows).toMatchObject([{ status: 'aborted' }])
})

it('passes an answer on whose status text no response can be made with', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const answer = Object.defineProperty(new Response('{}'), 'statusText', { value: '\ufffdkay' })

  const response = await capturing(async () => answer)(chatUrl, post({ model: 'm', messages }))

  expect(await response.text()).toBe('{}')
  expect(response.statusText).toBe('\ufffdkay')
  expect(recorder.lines).toEqual([])
})

it('keeps what a response says about itself, also after clone()', async () => {
  const { recorder, capturingFetch, chatUrl } = capture()
  const request = post({ model: 'm', messages })
  const direct = await fetch(chatUrl, request)

  const response = await capturingFetch(chatUrl, request)
  const copy = response.clone()

  for (const answer of [response, copy]) {
    const { status, statusText, ok, url, redirected, type } = answer
    expect({ status, statusText, ok, url, redirected, type }).toEqual({
      status: direct.status,
      statusText: direct.statusText,
      ok: true,
      url: direct.url,
      redirected: false,
      type: direct.type,
    })
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.json()).toMatchObject({ model: 'm' })
  }
  expect(recorder.rows).toHaveLength(1)
  await direct.body?.cancel()
})
