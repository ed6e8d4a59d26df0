import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'
import { printMachine, printTable, quantile, type Row } from './report.js'
import { createChunk } from './stream-chunk.js'

const rounds = 100
const chunks = 20
const burstRounds = 15
const burstChunks = 20_000
const plain = 'without capture'

type Arm = { readonly name: string; readonly fetch: typeof fetch }
type Delays = { readonly firstChunkMs: number[]; readonly chunkMs: number[] }

const server = fork(new URL('stream-server.ts', import.meta.url))
const [url] = await once(server, 'message')
try {
  printMachine()
  await benchDelay()
  await benchProcessor()
} finally {
  server.kill()
}

/** How long a chunk is on its way from a server in another process to the application. */
async function benchDelay(): Promise<void> {
  const usage = createUsageLogger({ enabled: true, exporter: new MemoryExporter() })
  const arms = createArms(fetch, usage.fetch)
  const delays = new Map<Arm, Delays>(arms.map((arm) => [arm, { firstChunkMs: [], chunkMs: [] }]))
  for (const arm of inTurns(arms, 5)) await readStream(arm, { firstChunkMs: [], chunkMs: [] })
  for (const arm of inTurns(arms, rounds)) await readStream(arm, delays.get(arm) as Delays)
  await usage.close()
  const streams = 2 * rounds
  for (const [figureName, share] of Object.entries({ p50: 0.5, p99: 0.99 })) {
    const show = (what: keyof Delays) => rowsOf(arms, (arm) => quantile(delays.get(arm)?.[what] ?? [], share))
    printTable(`to the first chunk, n = ${streams} streams`, show('firstChunkMs'), [figureName])
    printTable(`from the server's write, n = ${streams * chunks} chunks`, show('chunkMs'), [figureName])
  }
}

/** What a chunk costs this process, without a network. */
async function benchProcessor(): Promise<void> {
  const usage = createUsageLogger({ enabled: true, exporter: new MemoryExporter(), fetch: answerAtOnce })
  const arms = createArms(answerAtOnce, usage.fetch)
  const costs = new Map<Arm, number[]>(arms.map((arm) => [arm, []]))
  for (const arm of inTurns(arms, 2)) await readBurst(arm)
  for (const arm of inTurns(arms, burstRounds)) costs.get(arm)?.push(await readBurst(arm))
  await usage.close()
  const rows = rowsOf(arms, (arm) => quantile(costs.get(arm) ?? [], 0.5))
  printTable(`processor per chunk, n = ${2 * burstRounds} x ${burstChunks} chunks`, rows, ['p50'])
}

/** The same twice: how far they differ is what the machine does by itself. */
function createArms(innerFetch: typeof fetch, capturingFetch: typeof fetch): Arm[] {
  return [
    { name: plain, fetch: innerFetch },
    { name: 'with capture', fetch: capturingFetch },
    { name: `${plain}, once more`, fetch: innerFetch },
  ]
}

/** Each arm as often as the others, in this order and back, so that a drift of the machine meets all of them. */
function inTurns(arms: readonly Arm[], count: number): Arm[] {
  return Array.from({ length: count }, () => [...arms, ...arms.toReversed()]).flat()
}

async function readStream(arm: Arm, { firstChunkMs, chunkMs }: Delays): Promise<void> {
  const start = performance.now()
  let isFirst = true
  const decoder = new TextDecoder()
  for await (const chunk of await ask(arm)) {
    const received = process.hrtime.bigint()
    if (isFirst) firstChunkMs.push(performance.now() - start)
    isFirst = false
    const [, sent] = /"sent":"(\d+)"/.exec(decoder.decode(chunk)) ?? []
    if (sent !== undefined) chunkMs.push(Number(received - BigInt(sent)) / 1e6)
  }
}

/** Milliseconds per chunk. */
async function readBurst(arm: Arm): Promise<number> {
  const start = process.cpuUsage()
  for await (const _chunk of await ask(arm));
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000 / burstChunks
}

async function ask(arm: Arm): Promise<ReadableStream<Uint8Array>> {
  const messages = [{ role: 'user', content: 'How is a call counted?' }]
  const body = JSON.stringify({ model: 'gpt-5', messages, stream: true, chunks })
  const response = await arm.fetch(url, { method: 'POST', body })
  return response.body as ReadableStream<Uint8Array>
}

async function answerAtOnce(): Promise<Response> {
  const event = Buffer.from(`data: ${JSON.stringify(createChunk())}\n\n`)
  let left = burstChunks
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) =>
    left-- > 0 ? controller.enqueue(new Uint8Array(event)) : controller.close()
  const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

function rowsOf(arms: readonly Arm[], figureOf: (arm: Arm) => number): Row[] {
  const figures = arms.map(figureOf)
  return arms.map(({ name }, index) => {
    const figure = figures[index] ?? Number.NaN
    return { what: name, figure: `${(figure * 1000).toFixed(1)} us`, ratio: (figure / (figures[0] ?? 1)).toFixed(3) }
  })
}
