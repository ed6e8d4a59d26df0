import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { createArrayRecorder } from './array-recorder.js'
import { post } from './capture-setup.js'

const megabyte = 1024 * 1024
const pieceBytes = 65_536
const pieces = 1600

type Answer = { readonly path: string; readonly contentType: string; readonly start: string; readonly filling: string }

const sse = { path: '/v1/chat/completions', contentType: 'text/event-stream' }
const ndjson = { path: '/api/chat', contentType: 'application/x-ndjson' }
const say = `data: {"choices":[{"delta":{"content":"${'word '.repeat(12)}"}}]}\n\n`

const answers: Readonly<Record<string, Answer>> = {
  'one string': { ...sse, start: 'data: {"choices":[{"delta":{"content":"', filling: 'x' },
  'one line': { ...ndjson, start: '[', filling: '1,' },
  'one document': { path: '/v1/messages', contentType: 'application/json', start: '[', filling: '12345678,' },
  'no line ends': { ...sse, start: 'data: ', filling: '1,' },
  'one event': { ...sse, start: '', filling: 'data: 1\n' },
  'many events': { ...sse, start: '', filling: say },
}

const { path, contentType, start, filling } = answers[process.argv[2] ?? ''] as Answer
const piece = Buffer.from(filling.repeat(Math.floor(pieceBytes / filling.length)))
let sent = 0
const body = new ReadableStream<Uint8Array>(
  {
    pull(controller) {
      if (sent === pieces) return controller.close()
      sent += 1
      controller.enqueue(sent === 1 ? Buffer.from(start) : new Uint8Array(piece))
    },
  },
  { highWaterMark: 0 },
)
const recorder = createArrayRecorder()
const innerFetch: typeof fetch = async () => new Response(body, { headers: { 'content-type': contentType } })
const request = { model: 'm', messages: [], stream: contentType !== 'application/json' }
const before = heldBytes()
let mostHeld = 0
let passed = 0
const response = await createCapturingFetch(recorder, innerFetch)(`https://host.example${path}`, post(request))
for await (const chunk of response.body ?? []) {
  passed += chunk.length
  if (sent % 100 === 0) mostHeld = Math.max(mostHeld, heldBytes() - before)
}
const expected = start.length + (pieces - 1) * piece.length
console.log(JSON.stringify({ passed: passed === expected, rows: recorder.rows.length, heldMb: mostHeld / megabyte }))

function heldBytes(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
