import { EventStreamCodec } from '@smithy/eventstream-codec'
import { describe, expect, it } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { findFormatOfRequest } from '../../src/extractors/registry.js'
import type { AnswerSoFar, WireFormat } from '../../src/extractors/wire-format.js'
import { type Sample, samples } from '../extractors/samples.js'
import { createArrayRecorder } from './array-recorder.js'
import { post } from './capture-setup.js'

const waysToLeave = [
  'the application cancels',
  'the application breaks out of its loop',
  'the application gives its signal',
  'the connection breaks',
  'the body ends',
] as const
type Leaving = (typeof waysToLeave)[number]

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString(),
  (text) => Buffer.from(text),
)
const contentTypes: Readonly<Record<WireFormat['streamFraming'], string>> = {
  sse: 'text/event-stream',
  ndjson: 'application/x-ndjson',
  'json-array': 'application/json',
  'aws-event-stream': 'application/vnd.amazon.eventstream',
}
const streams = samples.filter(({ messages, url }) => messages.length > 1 && !url.endsWith(':generateContent'))

describe.each(streams.map((sample) => [`${sample.provider} at ${new URL(sample.url).pathname}`, sample] as const))(
  'a stream of %s',
  (_name, sample) => {
    it.each(waysToLeave)('leaves one row with what was told, after whichever event %s', async (leaving) => {
      for (let count = 0; count <= sample.messages.length; count++) {
        const { rows, openCalls } = await leave(sample, { count, leaving })
        const { provider } = sample

        expect(rows, `after ${count} events`).toMatchObject([{ provider, ...expectedRow(sample, count, leaving) }])
        expect(openCalls.size).toBe(0)
      }
    })
  },
)

async function leave(sample: Sample, { count, leaving }: { readonly count: number; readonly leaving: Leaving }) {
  const { streamFraming } = formatOf(sample)
  const recorder = createArrayRecorder('unknown')
  const pieces = sample.messages.slice(0, count).map((message, index) => frame(streamFraming, message, index))
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces.shift()
        if (piece) controller.enqueue(piece)
        else if (leaving === 'the body ends') controller.close()
        else if (leaving === 'the connection breaks') controller.error(new Error('terminated'))
        else return new Promise(() => {})
      },
    },
    { highWaterMark: 0 },
  )
  const headers = { 'content-type': contentTypes[streamFraming] }
  const capturingFetch = createCapturingFetch(recorder, async () => new Response(body, { headers }))
  const abort = new AbortController()
  const response = await capturingFetch(
    sample.url,
    post({ ...sample.request, stream_options: { include_usage: true } }, abort.signal),
  )
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  for (let piece = 0; piece < count; piece++) await reader.read()
  if (leaving === 'the application gives its signal') abort.abort()
  if (leaving === 'the application breaks out of its loop') {
    reader.releaseLock()
    await response.body?.values().return?.()
  } else if (leaving === 'the application cancels') await reader.cancel()
  else await reader.read().catch(() => {})
  return recorder
}

function frame(framing: WireFormat['streamFraming'], message: unknown, index: number): Uint8Array {
  const text = typeof message === 'string' ? message : JSON.stringify(message)
  if (framing === 'sse') return Buffer.from(`data: ${text}\n\n`)
  if (framing === 'ndjson') return Buffer.from(`${text}\n`)
  if (framing === 'json-array') return Buffer.from(`${index === 0 ? '[' : ','}${text}`)
  const [name = '', payload] = Object.entries(message as object)[0] ?? []
  const headers = { ':event-type': { type: 'string' as const, value: name } }
  return codec.encode({ headers, body: Buffer.from(JSON.stringify(payload)) })
}

function expectedRow(sample: Sample, count: number, leaving: Leaving) {
  const { reduce, initial } = formatOf(sample)
  const { usage, progress }: AnswerSoFar = sample.messages.slice(0, count).reduce<AnswerSoFar>(reduce, initial)
  const { inputTokens, outputTokens } = usage
  return { inputTokens, outputTokens, status: statusOf(progress, outputTokens, leaving) }
}

function statusOf(progress: AnswerSoFar['progress'], outputTokens: number | null, leaving: Leaving): string {
  if (progress === 'ended') return 'ok'
  if (leaving === 'the connection breaks') return 'error'
  if (leaving === 'the body ends') return progress === 'finished' ? 'ok' : 'error'
  return progress === 'finished' && outputTokens !== null ? 'ok' : 'aborted'
}

function formatOf({ url, request }: Sample): WireFormat {
  const format = findFormatOfRequest({ path: new URL(url).pathname, body: request })
  if (!format) throw new Error(`no format for ${url}`)
  return format
}
