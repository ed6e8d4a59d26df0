import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { bundleScript } from '../support/bundle-script.js'
import { createArrayRecorder } from './array-recorder.js'
import { post } from './capture-setup.js'
import { consumed, streamSamples } from './stream-samples.js'

const contentTypes = ['text/event-stream', 'application/x-ndjson', 'application/json', 'text/plain', '']
const statuses = ['ok', 'aborted', 'error']

const fragments = fc.oneof(
  fc.constantFrom(...streamSamples.flatMap(({ pieces }) => pieces.map(({ data }) => Buffer.from(data)))),
  fc
    .constantFrom(
      'data:',
      'data: {"choices":[{"delta":',
      '{"usage":',
      '\r',
      '\n\n',
      '[DONE]',
      '"',
      '\\',
      '{',
      ']',
      '\0',
      '\ufeff',
    )
    .map((text) => Buffer.from(text)),
  fc.jsonValue({ depthSize: 'small' }).map((value) => Buffer.from(`data: ${JSON.stringify(value)}\n\n`)),
  fc.jsonValue({ depthSize: 'small' }).map((value) => Buffer.from(`${JSON.stringify(value)}\n`)),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
)

const answers = fc.record({
  bytes: fc.array(fragments, { maxLength: 30 }).map((parts) => Buffer.concat(parts)),
  lengths: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 }),
  contentType: fc.constantFrom(...contentTypes),
  sample: fc.constantFrom(...streamSamples),
  end: fc.constantFrom('closes', 'breaks', 'is cancelled'),
})

it('passes any bytes on unchanged and leaves one row, however they are cut and end', async () => {
  await fc.assert(
    fc.asyncProperty(answers, async ({ bytes, lengths, contentType, sample, end }) => {
      const recorder = createArrayRecorder()
      const body = createBody(bytes, lengths, end === 'breaks' ? new Error('terminated') : undefined)
      const innerFetch: typeof fetch = async () => new Response(body, { headers: { 'content-type': contentType } })
      const response = await createCapturingFetch(recorder, innerFetch)(
        `https://host.example${sample.path}`,
        post(sample.request),
      )

      const received = await readAll(response, end === 'is cancelled' ? bytes.length / 2 : Number.POSITIVE_INFINITY)

      expect(bytes.subarray(0, received.length).equals(received)).toBe(true)
      if (end === 'closes') expect(received.length).toBe(bytes.length)
      expect(recorder.rows).toHaveLength(1)
      expect(recorder.rows.every(({ status }) => statuses.includes(status ?? ''))).toBe(true)
      expect(recorder.lines).toEqual([])
    }),
    { numRuns: 500 },
  )
})

it.each(streamSamples.filter(({ path }) => ['/v1/messages', '/api/chat'].includes(path)))(
  'reads a stream of $name in single bytes, of which one piece is long',
  async (sample) => {
    const recorder = createArrayRecorder()
    const long = sample.contentType.includes('ndjson')
      ? `[${'1,'.repeat(150_000)}1]\n`
      : `data: [${'1,'.repeat(150_000)}1]\n\n`
    const bytes = Buffer.from(long + sample.pieces.map(({ data }) => data).join(''))
    const body = createBody(bytes, [1], undefined)
    const innerFetch: typeof fetch = async () => new Response(body, { headers: { 'content-type': sample.contentType } })
    const capturing = createCapturingFetch(recorder, innerFetch)

    const response = await capturing(`https://host.example${sample.path}`, post(sample.request))

    expect((await response.arrayBuffer()).byteLength).toBe(bytes.length)
    expect(recorder.rows).toMatchObject([{ status: 'ok', ...consumed }])
  },
)

it.each(['one string', 'one line', 'one document', 'no line ends', 'many events', 'one event'])(
  'holds less than 48 MB of an answer of 100 MB that is %s',
  (kind) => {
    const script = bundleScript('test/capture/huge-answer.ts')
    const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', script, kind], {
      encoding: 'utf8',
    })

    expect(stderr).toBe('')
    const { passed, rows, heldMb } = JSON.parse(stdout)
    expect({ passed, rows }).toEqual({ passed: true, rows: 1 })
    expect(heldMb).toBeLessThan(48)
  },
  60_000,
)

function createBody(bytes: Buffer, lengths: readonly number[], error: Error | undefined): ReadableStream<Uint8Array> {
  let start = 0
  let turn = 0
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const end = start + (lengths[turn++ % lengths.length] ?? 1)
        const piece = bytes.subarray(start, end)
        start = end
        if (piece.length > 0) controller.enqueue(piece)
        else if (error) controller.error(error)
        else controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

async function readAll(response: Response, enough: number): Promise<Buffer> {
  const received: Uint8Array[] = []
  try {
    let length = 0
    for await (const piece of response.body ?? []) {
      received.push(piece)
      length += piece.length
      if (length >= enough) break
    }
  } catch {
    // The body broke, as planned.
  }
  return Buffer.concat(received)
}
