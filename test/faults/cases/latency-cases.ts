import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundleScript } from '../../support/bundle-script.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import { FaultProxy } from '../fault-proxy.js'
import { requireExactlyOnce } from '../oracle.js'

/** What a request waits for the recording of it. Figures of a machine that does other things as well: printed, never asserted. */
export const latencyCases: readonly FaultCase[] = [
  {
    id: 'L1',
    title: 'requests of an Express app with and without recording, in pairs, while the database has each fault',
    run: compareLatencies,
  },
]

const pairs = 5
// The slowest hundredth has to be more than a handful of requests.
const runMs = 5000
const requestsPerSecond = 400

const faults: Readonly<Record<string, (proxy: FaultProxy) => void>> = {
  none: () => {},
  stalled: (proxy) => {
    proxy.passage = { does: 'stall' }
  },
  slow: (proxy) => {
    proxy.passage = { does: 'delay', toServerMs: 500, toClientMs: 500 }
  },
  resets: (proxy) => {
    proxy.planCut = () => ({ of: 'server', at: { text: 'COMMIT', nth: 1, side: 'before' }, how: 'reset' })
  },
  refused: (proxy) => proxy.refuse(),
}

async function compareLatencies({ database, log }: FaultContext): Promise<FaultResult> {
  const proxy = await FaultProxy.start(database.connectionString)
  const recording = await startApp(proxy.through(database.connectionString))
  const plain = await startApp('')
  const another = await startApp('')
  const notes: string[] = []
  try {
    for (const app of [recording, plain, another]) await measure(app)
    // What two apps differ by that are the same: less than this tells nothing.
    notes.push(`no recording in either ${await compare(another, plain)}`)
    for (const [name, begin] of Object.entries(faults)) {
      begin(proxy)
      await sleep(500)
      notes.push(`${name} ${await compare(recording, plain)}`)
      log(notes.at(-1) ?? '')
      if (name === 'refused') await proxy.accept()
      proxy.planCut = () => undefined
      proxy.passage = { does: 'pass' }
    }
    await recording.close()
    const { announced, lost, twice } = await requireExactlyOnce(database, recording.ids)
    return { announced, lost, twice, note: `median of ${pairs} pairs, more with recording: ${notes.join('; ')}` }
  } finally {
    recording.kill()
    plain.kill()
    another.kill()
    proxy.close()
  }
}

type App = {
  readonly port: number
  /** The ids of the rows of all requests that were answered. */
  readonly ids: string[]
  close(): Promise<unknown>
  kill(): void
}

async function startApp(databaseUrl: string): Promise<App> {
  const child = spawn(process.execPath, [bundleScript('test/faults/latency-app.ts'), databaseUrl], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const [port] = await once(createInterface(child.stdout), 'line')
  const ended = once(child, 'close')
  const close = () => {
    child.stdin.end()
    return ended
  }
  return { port: Number(port), ids: [], close, kill: () => void child.kill('SIGKILL') }
}

/** Alternates which of the two comes first; the medians of the differences, in milliseconds. */
async function compare(one: App, other: App): Promise<string> {
  const differences: Quantiles[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const [first, second] = pair % 2 === 0 ? [other, one] : [one, other]
    const results = new Map([[first, await measure(first)]]).set(second, await measure(second))
    const [more, less] = [results.get(one), results.get(other)]
    if (more && less) differences.push({ p50: more.p50 - less.p50, p99: more.p99 - less.p99 })
  }
  const median = (of: keyof Quantiles) =>
    quantile(
      differences.map((difference) => difference[of]),
      0.5,
    ).toFixed(2)
  return `p50 ${median('p50')} ms, p99 ${median('p99')} ms`
}

type Quantiles = { readonly p50: number; readonly p99: number }

/** Requests at a fixed rate, so that a slow answer does not make the next ones fewer. */
async function measure(app: App): Promise<Quantiles> {
  const agent = new Agent({ keepAlive: true })
  const durations: number[] = []
  const requests: Promise<void>[] = []
  const startedAt = performance.now()
  for (let sent = 0; performance.now() - startedAt < runMs; await sleep(1)) {
    for (const due = ((performance.now() - startedAt) / 1000) * requestsPerSecond; sent < due; sent++) {
      requests.push(request(app, agent).then((ms) => void durations.push(ms)))
    }
  }
  await Promise.all(requests)
  agent.destroy()
  return { p50: quantile(durations, 0.5), p99: quantile(durations, 0.99) }
}

async function request(app: App, agent: Agent): Promise<number> {
  const startedAt = performance.now()
  const [response] = await once(get({ port: app.port, agent }), 'response')
  let id = ''
  for await (const chunk of response) id += chunk
  app.ids.push(id)
  return performance.now() - startedAt
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN
}
