import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { bundleScript } from '../../support/bundle-script.js'
import { startProviderStandIn } from '../../support/provider-stand-in.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import { FaultProxy } from '../fault-proxy.js'
import { recoverSpool, startWorker, type Worker } from '../fleet.js'
import { requireDefault, requireEqualSums, requireExactlyOnce } from '../oracle.js'
import { until } from '../rig.js'
import { spoolOptions, tell } from '../spool-rig.js'
import type { StreamingAppSettings } from '../streaming-app.js'
import type { WorkerStats } from '../worker.js'

/** Faults at the time when a process is told to end. */
export const shutdownCases: readonly FaultCase[] = [
  {
    id: 'T1',
    title: 'SIGTERM closes within the time limit and a quarter second, whatever state the database is in',
    run: closeInEveryState,
    isShort: true,
  },
  {
    id: 'T2',
    title: 'many signals, and flush() and close() at each of them, are one shutdown',
    run: sendManySignals,
    isShort: true,
  },
  { id: 'T3', title: 'SIGTERM with 200 streams in flight: each call leaves one row', run: closeWithStreams },
  { id: 'T4', title: 'SIGTERM with a long queue, then SIGKILL before it is written', run: killWhileClosing },
]

/** What is done to the database before the signal, and whether all rows can be written then. */
const states: Readonly<Record<string, { readonly isUp: boolean; readonly fault: (proxy: FaultProxy) => void }>> = {
  idle: { isUp: true, fault: () => {} },
  'in the middle of a write': { isUp: true, fault: (proxy) => delay(proxy, 100) },
  'database down': { isUp: false, fault: (proxy) => proxy.refuse() },
  'database stalled': { isUp: false, fault: (proxy) => stall(proxy) },
  'answers after 4 s': { isUp: false, fault: (proxy) => delay(proxy, 2000) },
  'line of 300 bytes a second': { isUp: false, fault: (proxy) => throttle(proxy) },
}

async function closeInEveryState(context: FaultContext): Promise<FaultResult> {
  // Where all is written it may take its time; other tests keep the processors busy meanwhile.
  const [limitMs, toleranceMs] = context.scale === 'short' ? [2000, 2000] : [25_000, 250]
  const closed = await Promise.all(
    Object.entries(states).map(async ([name, { isUp, fault }]) => {
      const closeMs = isUp ? 25_000 : limitMs
      const { worker, options } = await signalIn(context, { name, fault, closeMs })
      const { closedInMs = Number.NaN, ...stats } = worker.stats.at(-1) as WorkerStats
      expect({ name, ...stats }).toMatchObject({ pending: 0, dropped: 0, state: 'closed' })
      if (isUp) expect(stats, `${name}, ${worker.stderr()}`).toMatchObject({ spooled: 0, written: stats.accepted })
      if (stats.spooled) expect(worker.stderr()).toContain('usage rows: they wait in the spool for the next start')
      expect(closedInMs, name).toBeLessThanOrEqual(closeMs + toleranceMs)
      expect([worker.process.exitCode, worker.process.signalCode]).toEqual([0, null])
      await recoverSpool({ ...options, databaseUrl: context.database.connectionString })
      return { name, worker, closedInMs }
    }),
  )

  const workers = closed.map(({ worker }) => worker)
  const verdict = await requireDefault(context.database, workers)
  return tell(
    verdict,
    `limit ${limitMs} ms; ${closed.map(({ name, closedInMs }) => `${name} ${closedInMs}`).join(', ')}`,
  )
}

type Signalled = { readonly name: string; readonly closeMs: number; readonly fault: (proxy: FaultProxy) => void }

/** Sends SIGTERM to a worker that logs, some time after a fault, and waits for its end. */
async function signalIn(context: FaultContext, { name, closeMs, fault }: Signalled) {
  const proxy = await FaultProxy.start(context.database.connectionString)
  const options = {
    ...spoolOptions(context, name.replaceAll(' ', '-')),
    databaseUrl: proxy.through(context.database.connectionString),
    batchSize: 20,
    flushIntervalMs: 50,
  }
  const worker = startWorker({ name, does: 'log', rowsPerSecond: 200, closeMs, options })
  try {
    await until(() => worker.announced.length > 100, 60_000)
    fault(proxy)
    await sleep(name === 'idle' ? 0 : 500)
    worker.process.kill('SIGTERM')
    await worker.ended
  } finally {
    worker.process.kill('SIGKILL')
    proxy.close()
  }
  return { worker, options }
}

async function sendManySignals(context: FaultContext): Promise<FaultResult> {
  const plans: Readonly<Record<string, readonly NodeJS.Signals[]>> = {
    'SIGTERM twice': ['SIGTERM', 'SIGTERM'],
    'SIGTERM and SIGINT': ['SIGTERM', 'SIGINT'],
    'ten signals': Array.from({ length: 10 }, (_, index) => (index % 2 ? 'SIGINT' : 'SIGTERM')),
  }
  const workers = await Promise.all(
    Object.entries(plans).map(async ([name, signals]) => {
      const fault = (proxy: FaultProxy) => delay(proxy, 150)
      return signalRepeatedly(context, { name, signals, fault })
    }),
  )

  for (const { process, stats } of workers) {
    // A signal that comes when all is done, and Node lets go of its handlers, ends the process by itself.
    expect(process.exitCode ?? 0).toBe(0)
    expect(stats.filter(({ closedInMs }) => closedInMs !== undefined)).toHaveLength(1)
    expect(stats.at(-1)).toMatchObject({ pending: 0, dropped: 0, spooled: 0, state: 'closed' })
  }
  const verdict = await requireDefault(context.database, workers)
  return tell(verdict, `${Object.keys(plans).join(', ')}, 200 ms apart; exit code 0`)
}

type Repeated = Omit<Signalled, 'closeMs'> & { readonly signals: readonly NodeJS.Signals[] }

async function signalRepeatedly(context: FaultContext, { name, signals, fault }: Repeated): Promise<Worker> {
  const proxy = await FaultProxy.start(context.database.connectionString)
  const databaseUrl = proxy.through(context.database.connectionString)
  const options = { ...spoolOptions(context, name.replaceAll(' ', '-')), databaseUrl }
  const worker = startWorker({ name, does: 'log', rowsPerSecond: 300, options })
  try {
    await until(() => worker.announced.length > 100, 60_000)
    fault(proxy)
    for (const signal of signals) {
      worker.process.kill(signal)
      await sleep(200)
    }
    await worker.ended
  } finally {
    worker.process.kill('SIGKILL')
    proxy.close()
  }
  return worker
}

async function closeWithStreams({ database, scale }: FaultContext): Promise<FaultResult> {
  const [calls, shutdownMs] = scale === 'short' ? [40, 3000] : [200, 10_000]
  // Half of them end in time.
  const standIn = await startProviderStandIn({
    behave: ({ index }) => ({ words: 30, partDelayMs: index % 2 ? shutdownMs / 100 : shutdownMs / 10 }),
  })
  const app = await startStreamingApp({
    databaseUrl: database.connectionString,
    providerUrl: standIn.url,
    shutdownMs,
  })
  try {
    const ids = Array.from({ length: calls }, (_, index) => `call-${index}`)
    const requests = ids.map((id) => read(`http://127.0.0.1:${app.port}/answer`, id))
    await until(() => standIn.calls.filter(({ partsSent }) => partsSent > 0).length === calls, 60_000)
    app.process.kill('SIGTERM')
    await Promise.all([app.ended, ...requests])
    const rows = await database.query('select session_id, status from token_usage_logs')
    const stored = new Set(rows.map(({ session_id: id }) => id))
    const lost = ids.filter((id) => !stored.has(id)).length
    const twice = rows.length - stored.size

    expect({ lost, twice, rows: rows.length }).toEqual({ lost: 0, twice: 0, rows: calls })
    expect(standIn.calls).toHaveLength(calls)
    await requireEqualSums(database)
    const ended = (status: string) => rows.filter((row) => row.status === status).length
    expect(ended('ok')).toBeGreaterThan(0)
    expect(ended('aborted')).toBeGreaterThan(0)
    return { announced: calls, lost, twice, note: `${ended('ok')} finished, ${ended('aborted')} aborted` }
  } finally {
    app.process.kill('SIGKILL')
    await standIn.close()
  }
}

async function startStreamingApp(settings: StreamingAppSettings) {
  const child = spawn(process.execPath, [bundleScript('test/faults/streaming-app.ts'), JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const [port] = await Promise.race([once(createInterface(child.stdout), 'line'), ended])
  return { process: child, port: Number(port), ended }
}

/** Reads an answer to its end, or to where it breaks off. */
async function read(url: string, id: string): Promise<void> {
  await fetch(url, { headers: { 'x-call-id': id } }).then(
    (response) => response.text().then(undefined, () => ''),
    () => '',
  )
}

async function killWhileClosing(context: FaultContext): Promise<FaultResult> {
  const [rows, closeMs, killMs] = context.scale === 'short' ? [10_000, 1500, 2000] : [200_000, 25_000, 30_000]
  const proxy = await FaultProxy.start(context.database.connectionString)
  delay(proxy, 10)
  const direct = spoolOptions(context)
  const databaseUrl = proxy.through(context.database.connectionString)
  const options = { ...direct, databaseUrl, maxBatchSize: 200, maxMemoryMb: 1024 }
  const worker = startWorker({ name: 'queue', does: 'fill', rows, closeMs, options })
  try {
    await worker.started
    worker.process.kill('SIGTERM')
    await Promise.race([worker.ended, sleep(killMs)])
  } finally {
    worker.process.kill('SIGKILL')
    await worker.ended
    proxy.close()
  }
  const written = (await context.database.query('select count(*)::int as count from token_usage_logs'))[0]?.count
  const { recovered } = await recoverSpool(direct)

  expect(worker.announced).toHaveLength(rows)
  const verdict = await requireExactlyOnce(context.database, worker.announced)
  expect(recovered).toBeGreaterThan(0)
  return tell(verdict, `${written} written in time, ${recovered} found in the spool`)
}

function delay(proxy: FaultProxy, ms: number): void {
  proxy.passage = { does: 'delay', toServerMs: ms, toClientMs: ms }
}

function stall(proxy: FaultProxy): void {
  proxy.passage = { does: 'stall' }
}

function throttle(proxy: FaultProxy): void {
  proxy.passage = { does: 'throttle', bytesPerSecond: 300 }
}
