import { PassThrough, Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import nodeFetch, { Response as NodeFetchResponse } from 'node-fetch'
import { expect, it } from 'vitest'
import { post, useCaptureSetup } from './capture-setup.js'

const capture = useCaptureSetup()
const request = post({ model: 'm', messages: [], stream: true })
const sse = { headers: { 'content-type': 'text/event-stream' } }

function answering(body: Readable): typeof fetch {
  return (async () => new NodeFetchResponse(body, sse)) as unknown as typeof fetch
}

it('hands an answer of node-fetch on as one', async () => {
  const { recorder, chatUrl, capturing } = capture()

  const response = await capturing(nodeFetch as unknown as typeof fetch)(chatUrl, request)
  const text = await response.text()

  expect(response).toBeInstanceOf(NodeFetchResponse)
  expect(response.body).toBeInstanceOf(Readable)
  expect(response).toMatchObject({ url: chatUrl, status: 200, statusText: 'OK', redirected: false })
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  expect(text).not.toContain('"choices":[]')
  expect(recorder.rows).toMatchObject([{ status: 'ok', usageSource: 'provider' }])
})

it('reads no further than the application asks', async () => {
  const { chatUrl, capturing } = capture()
  let reads = 0
  const body = new Readable({
    highWaterMark: 0,
    read() {
      reads += 1
      this.push('data: {"choices":[]}\n\n')
    },
  })

  const response = await capturing(answering(body))(chatUrl, request)
  await turn()
  const readUnasked = reads
  const chunks = (response.body as unknown as Readable)[Symbol.asyncIterator]()
  await chunks.next()

  expect(readUnasked).toBe(0)
  expect(reads).toBeLessThan(3)
  await chunks.return?.()
})

it('knows since when nobody asks for more', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const body = new PassThrough()

  const response = await capturing(answering(body))(chatUrl, request)
  const [open] = recorder.openCalls
  const beforeReading = open?.unreadSince
  const reading = response.text()
  await turn()
  const whileReading = open?.unreadSince
  body.end()
  await reading

  expect([typeof beforeReading, whileReading]).toEqual(['number', undefined])
})

it('leaves an answer alone that somebody reads already', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const body = Readable.from(['data: [DONE]\n\n'])
  body.read()

  const response = await capturing(answering(body))(chatUrl, request)

  expect(response.body).toBe(body)
  expect(recorder.rows).toMatchObject([{ usageSource: 'unknown' }])
})

it('lets go of the answer to a question for usage that is refused', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const refusal = new PassThrough()
  const answers = [new NodeFetchResponse(refusal, { status: 400 }), new NodeFetchResponse('data: [DONE]\n\n', sse)]
  const refusing = (async () => answers.shift()) as unknown as typeof fetch

  await (await capturing(refusing)(chatUrl, request)).text()

  expect(refusal.destroyed).toBe(true)
  expect(recorder.rows).toHaveLength(1)
})

it('records an answer whose body the application destroys as aborted, and lets go of the provider', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const body = new PassThrough()

  const response = await capturing(answering(body))(chatUrl, request)
  ;(response.body as unknown as Readable).destroy()

  await expect.poll(() => recorder.rows).toMatchObject([{ status: 'aborted' }])
  expect(body.destroyed).toBe(true)
})

it('records an answer that breaks while nobody reads, and tells the application when it does', async () => {
  const { recorder, chatUrl, capturing } = capture()
  const body = new PassThrough()

  const response = await capturing(answering(body))(chatUrl, request)
  body.emit('error', new Error('Premature close'))

  expect(recorder.rows).toMatchObject([{ status: 'error' }])
  await turn()
  await expect(response.text()).rejects.toThrow('Premature close')
})
