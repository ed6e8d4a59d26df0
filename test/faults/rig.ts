import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { UsageLoggerOptions } from '../../src/index.js'
import type { FaultContext, FaultResult } from './fault-case.js'
import { FaultProxy } from './fault-proxy.js'
import { recoverSpool, startWorker, type Worker } from './fleet.js'
import { type JudgedDatabase, requireDefault } from './oracle.js'
import type { WorkerSettings } from './worker.js'

/** A proxy before the database, and the workers of one case. */
export type Rig = {
  readonly proxy: FaultProxy
  readonly workers: readonly Worker[]
  /** Starts a worker that logs through the proxy until the case ends; resolves at its first row. */
  start(settings?: RigSettings): Promise<Worker>
}

type RigSettings = Partial<Omit<WorkerSettings, 'options'>> & {
  readonly options?: Omit<UsageLoggerOptions, 'logger' | 'fetch' | 'pool' | 'exporter'>
  readonly command?: readonly string[]
}

type RigOptions = {
  /** The address of the proxy; that of the loop by default. */
  readonly host?: string
  /** Where the proxy leads to: the case's database by default. */
  readonly databaseUrl?: string
  /** Where workers that are killed leave their rows: another process takes them over at the end. */
  readonly spoolDir?: string
}

const writeOften = { batchSize: 20, flushIntervalMs: 50 }

/** Does `work`, which returns the note; lets the workers close then, and requires what every case must hold. */
export async function withRig(
  { database, log }: { readonly database: JudgedDatabase; readonly log: FaultContext['log'] },
  work: (rig: Rig) => Promise<string>,
  { host, databaseUrl = database.connectionString, spoolDir }: RigOptions = {},
): Promise<FaultResult> {
  const proxy = await FaultProxy.start(databaseUrl, host)
  const workers: Worker[] = []
  const start = async ({ options, command, ...settings }: RigSettings = {}) => {
    const own = {
      name: `worker${workers.length}`,
      does: 'log' as const,
      rowsPerSecond: 200,
      closeMs: 60_000,
      ...settings,
    }
    const all = { databaseUrl: proxy.through(databaseUrl), ...writeOften, ...options }
    const worker = startWorker({ ...own, options: all }, command)
    workers.push(worker)
    await worker.started
    return worker
  }
  try {
    const note = await work({ proxy, workers, start })
    log('closing')
    await Promise.all(workers.map((worker) => worker.finish()))
    if (spoolDir) await recoverSpool({ databaseUrl: proxy.through(databaseUrl), spoolDir })
    const { announced, lost, twice } = await requireDefault(database, workers)
    return { announced, lost, twice, note }
  } catch (error) {
    for (const [index, { stderr }] of workers.entries()) log(`worker${index} said:\n${stderr()}`)
    throw error
  } finally {
    for (const worker of workers) worker.process.kill('SIGKILL')
    proxy.close()
  }
}

/** Waits until `isSo`, and returns the seconds that it took; fails after `timeoutMs`. */
export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs: number): Promise<number> {
  const startedAt = performance.now()
  while (!(await isSo())) {
    if (performance.now() - startedAt > timeoutMs) throw new Error(`after ${timeoutMs} ms still not: ${isSo}`)
    await sleep(50)
  }
  return (performance.now() - startedAt) / 1000
}

/** Waits until all that a worker has taken so far is written, while it goes on logging; returns the seconds. */
export async function recovery(worker: Worker, timeoutMs: number): Promise<number> {
  const { accepted } = await worker.ask()
  return until(async () => {
    const { state, written, deadLettered, dropped } = await worker.ask()
    return state === 'running' && written + deadLettered + dropped >= accepted
  }, timeoutMs)
}

/** Megabytes of memory that a worker takes now. */
export function residentMb(worker: Worker): number {
  return memoryMb(worker, 'VmRSS')
}

/** Megabytes of memory that a worker has taken at most. */
export function peakMb(worker: Worker): number {
  return memoryMb(worker, 'VmHWM')
}

function memoryMb(worker: Worker, name: string): number {
  const status = readFileSync(`/proc/${worker.process.pid}/status`, 'utf8')
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024
}

export function seconds(value: number): string {
  return `${value.toFixed(1)} s`
}
