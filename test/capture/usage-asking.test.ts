import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { messages, post, useCaptureSetup } from './capture-setup.js'

const capture = useCaptureSetup()

it('takes nothing but the usage chunk out of a stream that did not ask for it', async () => {
  const { chatUrl, capturing } = capture()
  let sent = ''
  const innerFetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    sent = await response.text()
    return new Response(sent, response)
  }

  const response = await capturing(innerFetch)(chatUrl, post({ model: 'm', messages, stream: true }))

  const isUsage = (event: string) => event.includes('"choices":[]')
  const events = sent.split(/(?<=\n\n)/)
  expect(events.filter(isUsage)).toHaveLength(1)
  expect(await response.text()).toBe(events.filter((event) => !isUsage(event)).join(''))
})

it('sends what a server refuses once more as the application wrote it, and asks that server no more', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const sent: unknown[] = []
  const innerFetch: typeof fetch = async (input, init) => {
    sent.push(init?.body)
    return String(init?.body).includes('include_usage') ? new Response('{}', { status: 422 }) : fetch(input, init)
  }
  const strict = capturing(innerFetch)
  const request = post({ model: 'm', messages, stream: true })

  const texts = [await (await strict(chatUrl, request)).text(), await (await strict(chatUrl, request)).text()]

  expect(texts.every((text) => text.endsWith('data: [DONE]\n\n'))).toBe(true)
  expect(sent).toEqual([expect.stringContaining('include_usage'), request.body, request.body])
  expect(recorder.rows).toMatchObject([{ status: 'ok' }, { status: 'ok' }])
})

it('takes a refusal whose body is no web stream', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const refusal = { ok: false, status: 400, headers: new Headers(), body: Readable.from(['{}']) }
  const asking = capturing((async () => refusal) as unknown as typeof fetch)

  const response = await asking(chatUrl, post({ model: 'm', messages, stream: true }))

  expect(response).toBe(refusal)
  expect(recorder.rows).toMatchObject([{ status: 'error' }])
})

it('does not take a mistake of the application for a refusal to be asked', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const statuses = [400, 400, 200, 400]
  const sent: unknown[] = []
  const innerFetch: typeof fetch = async (_input, init) => {
    sent.push(String(init?.body).includes('include_usage'))
    return new Response('{}', {
      status: statuses[sent.length - 1] ?? 500,
      headers: { 'content-type': 'application/json' },
    })
  }
  const asking = capturing(innerFetch)
  const request = post({ model: 'm', messages, stream: true })

  for (const status of [400, 200, 400]) {
    const response = await asking(chatUrl, request)
    expect(response.status).toBe(status)
    await response.text()
  }

  expect(sent).toEqual([true, false, true, true])
  expect(recorder.rows.map((row) => row.status)).toEqual(['error', 'ok', 'error'])
})

it('asks for usage without touching anything else of the request', async () => {
  const { chatUrl, capturing } = capture()
  const text = '{ "seed": 12345678901234567890, "model": "m", "stream": true, "messages": [] }'
  const sent: RequestInit[] = []
  const innerFetch: typeof fetch = async (_input, init = {}) => {
    sent.push(init)
    return new Response('{}', { headers: { 'content-type': 'application/json' } })
  }
  const headers = { 'content-length': '78', 'x-own': 'kept' }
  const init = { method: 'POST', headers, body: text, keepalive: false }

  await capturing(innerFetch)(chatUrl, init)
  await capturing(innerFetch)(chatUrl, {
    ...init,
    body: text.replace('{', '{"stream_options":{"include_obfuscation":false},'),
  })

  expect(sent[0]?.body).toBe(text.replace('{', '{"stream_options":{"include_usage":true},'))
  expect(Object.fromEntries(new Headers(sent[0]?.headers))).toEqual({ 'x-own': 'kept' })
  expect(sent[0]).toMatchObject({ method: 'POST', keepalive: false })
  expect(JSON.parse(String(sent[1]?.body)).stream_options).toEqual({ include_obfuscation: false, include_usage: true })
  expect(init.body).toBe(text)
})

it('asks in a Request with a body of its own without losing its headers', async () => {
  const { chatUrl, capturing } = capture()
  const sent: Request[] = []
  const innerFetch: typeof fetch = async (input, init) => {
    sent.push(new Request(input, init))
    return new Response('{}')
  }
  const { body } = post({ model: 'm', messages, stream: true })
  const signed = new Request(chatUrl, { method: 'POST', headers: { digest: 'sha-256=x' } })

  await capturing(innerFetch)(new Request(chatUrl, { method: 'POST', headers: { authorization: 'Bearer x' } }), {
    body,
  })
  await capturing(innerFetch)(signed, { body })

  expect(sent[0]?.headers.get('authorization')).toBe('Bearer x')
  expect(await sent[0]?.text()).toContain('include_usage')
  expect(await sent[1]?.text()).toBe(body)
})

it.each([
  ['a provider that tells without being asked', 'https://api.mistral.ai/v1/chat/completions', {}],
  [
    'a signed request',
    'https://bedrock.example/openai/v1/chat/completions',
    { authorization: 'AWS4-HMAC-SHA256 Credential=x' },
  ],
])('leaves the body of %s as it is', async (_what, url, headers) => {
  const { capturing } = capture()
  const sent: unknown[] = []
  const innerFetch: typeof fetch = async (_input, init) => {
    sent.push(init?.body)
    return new Response('{}')
  }
  const body = JSON.stringify({ model: 'm', messages, stream: true })

  await capturing(innerFetch)(url, { method: 'POST', headers, body })

  expect(sent).toEqual([body])
})

it.each([
  ['/v1/completions', { prompt: 'The bees are' }, true],
  ['/v1/responses', { input: 'Wie viele?' }, false],
  ['/v1/messages', { messages }, false],
  ['/v2/chat', { messages }, false],
])('asks a stream of %s only where the format has a way to', async (path, question, isAsked) => {
  const { capturing } = capture()
  const sent: string[] = []
  const innerFetch: typeof fetch = async (_input, init) => {
    sent.push(String(init?.body))
    return new Response('{}')
  }

  await capturing(innerFetch)(`https://host.example${path}`, post({ model: 'm', stream: true, ...question }))

  expect(sent.map((body) => body.includes('include_usage'))).toEqual([isAsked])
})
