import { Readable } from 'node:stream'
import { afterEach, expect, it, vi } from 'vitest'
import { openAiChat } from '../../src/extractors/openai-chat.js'
import { answering, messages, post, useCaptureSetup } from './capture-setup.js'

afterEach(() => void vi.restoreAllMocks())

const capture = useCaptureSetup()

it('takes a Request as well', async () => {
  const { standIn, recorder, capturingFetch } = capture()
  const response = await capturingFetch(new Request(`${standIn.url}/v1/messages`, post({ model: 'm', messages })))

  await response.json()

  expect(recorder.rows).toMatchObject([{ modelName: 'm', usageSource: 'provider', provider: 'anthropic' }])
})

it('passes an answer untouched and records unknown usage where reading it fails', async () => {
  const { recorder, capturingFetch, chatUrl } = capture()
  vi.spyOn(openAiChat, 'reduce').mockImplementation(() => {
    throw new Error('secret content')
  })

  const whole = await capturingFetch(chatUrl, post({ model: 'm', messages }))
  const stream = await capturingFetch(chatUrl, post({ model: 'm', messages, stream: true }))

  expect(await whole.json()).toMatchObject({ object: 'chat.completion' })
  expect(await stream.text()).toMatch(/data: \[DONE\]\n\n$/)
  const unknown = { status: 'ok', usageSource: 'unknown', modelName: 'm', inputTokens: null, outputTokens: null }
  expect(recorder.rows).toMatchObject([unknown, unknown])
  expect(recorder.lines).toHaveLength(1)
  expect(recorder.lines[0]).not.toContain('secret')
})

it('passes the call on where reading its request fails', async () => {
  const { recorder, capturingFetch, chatUrl } = capture()
  vi.spyOn(openAiChat, 'matchesRequest').mockImplementation(() => {
    throw new Error('broken')
  })

  const response = await capturingFetch(chatUrl, post({ model: 'm', messages }))

  expect(response.status).toBe(200)
  await response.body?.cancel()
  expect(recorder.lines).toHaveLength(1)
})

it('records an answer without a readable body as unknown', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const empty: typeof fetch = async () => new Response(null, { status: 204 })
  const nodeBody = (async () => ({
    ok: true,
    status: 200,
    headers: new Headers(),
    body: Readable.from(['{}']),
  })) as unknown as typeof fetch

  const first = await capturing(empty)(chatUrl, post({ model: 'm', messages }))
  const second = await capturing(nodeBody)(chatUrl, post({ model: 'm', messages }))

  expect([first.status, first.body]).toEqual([204, null])
  expect(second.body).toBeInstanceOf(Readable)
  expect(recorder.rows).toMatchObject([{ usageSource: 'unknown' }, { usageSource: 'unknown' }])
})

it.each([
  [429, '{"error":{"message":"slow down"}}'],
  [429, null],
  [500, 'oops'],
  [500, null],
  [304, null],
])(
  'records status %i with the body %j as an error at once, and leaves the body to the application',
  async (status, text) => {
    const { recorder, chatUrl, capturing } = capture()
    const answer = new Response(text, { status })

    const response = await capturing(async () => answer)(chatUrl, post({ model: 'm', messages, stream: true }))

    expect(response).toBe(answer)
    expect(recorder.rows).toMatchObject([
      {
        status: 'error',
        usageSource: 'unknown',
        inputTokens: null,
        outputTokens: null,
        durationMs: expect.any(Number),
      },
    ])
    expect(recorder.openCalls.size).toBe(0)
  },
)

it('reads the body of a request only where its path may be that of a model', async () => {
  const { capturing } = capture()
  const parse = vi.spyOn(JSON, 'parse')

  for (const path of ['/v1/files', '/api/orders', '/graphql'])
    await capturing(answering('{}'))(`https://host.example${path}`, post({ model: 'm', messages }))

  expect(parse).not.toHaveBeenCalled()
})

it.each([
  ['https://api.openai.com/v1/chat/completions', 'openai'],
  ['https://mine.openai.azure.com/openai/deployments/d/chat/completions?api-version=1', 'azure'],
  ['https://api.x.ai/v1/chat/completions', 'xai'],
  ['https://gateway.example/anthropic/v1/messages', 'anthropic'],
  ['http://127.0.0.1:11434/api/generate', 'ollama'],
])('names the provider of %s', async (url, provider) => {
  const { recorder, capturing } = capture()
  const innerFetch = answering(null)

  await capturing(innerFetch)(url, post({ model: 'm', messages }))

  expect(recorder.rows).toMatchObject([{ provider }])
})

it.each([
  ['POST', '/v1/messages/count_tokens'],
  ['POST', '/v1/threads/t/messages'],
  ['POST', '/v1/files'],
  ['GET', '/v1/chat/completions'],
  ['POST', '/v1/chat/completions/chatcmpl-1'],
  ['POST', '/api/tags'],
])('records nothing for %s %s', async (method, path) => {
  const { recorder, capturing } = capture()
  const innerFetch = answering('{}')

  const init = { method, body: method === 'POST' ? '{"model":"m","messages":[]}' : undefined }
  const response = await capturing(innerFetch)(`https://host.example${path}`, init)
  await response.text()

  expect(recorder.rows).toEqual([])
})

it.each([
  ['/api/chat', { messages }],
  ['/v1/messages', { model: 'm', text: 'to somebody' }],
])("takes an application's own %s for no call of a model", async (path, body) => {
  const { recorder, capturing } = capture()

  const response = await capturing(answering('{}'))(`https://app.example${path}`, post(body))
  await response.text()

  expect(recorder.rows).toEqual([])
})

it.each([
  ['/v1/messages', 'To=somebody&Body=hello'],
  ['/v1/messages', new URLSearchParams({ to: 'somebody' })],
  ['/forms/1/responses', new FormData()],
  ['/api/chat', '["a"]'],
])('takes a request to %s whose body is no JSON object for no call of a model', async (path, body) => {
  const { recorder, capturing } = capture()

  const response = await capturing(answering('{}'))(`https://app.example${path}`, { method: 'POST', body })
  await response.text()

  expect(recorder.rows).toEqual([])
})
