import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import PQueue from 'p-queue'
import type { UsageLoggerOptions } from '../../src/index.js'
import type { FaultContext, FaultResult } from './fault-case.js'
import { startWorker } from './fleet.js'
import type { Verdict } from './oracle.js'

export type SpoolOptions = UsageLoggerOptions & { readonly spoolDir: string }

/** Rows wait long enough to be in danger. */
export const writing = (databaseUrl: string) =>
  ({ databaseUrl, batchSize: 200, flushIntervalMs: 300, onAbort: 'unknown' }) as const
/** Rows wait longer than any case takes. */
export const waiting = { batchSize: 100_000, flushIntervalMs: 3_600_000 }
export const silent = { info: () => {}, warn: () => {}, error: () => {} }

/** Options of a logger whose spool is a directory of the case, which is there already. */
export function spoolOptions(
  { database, temporaryDirectory }: Pick<FaultContext, 'database' | 'temporaryDirectory'>,
  name = 'spool',
): SpoolOptions {
  const spoolDir = join(temporaryDirectory, name)
  mkdirSync(spoolDir, { recursive: true, mode: 0o700 })
  return { ...writing(database.connectionString), spoolDir }
}

export function tell({ announced, lost, twice }: Verdict, note: string): FaultResult {
  return { announced, lost, twice, note }
}

/** Runs a process that takes over what it may, for so long. */
export async function sweepFor(options: UsageLoggerOptions, ms: number): Promise<void> {
  const sweeper = startWorker({ name: 'sweeper', does: 'recover', options })
  await sweeper.started
  await sleep(ms)
  sweeper.process.kill('SIGKILL')
  await sweeper.ended
}

export async function inLanes(lanes: number, work: readonly (() => Promise<void>)[]): Promise<void> {
  await new PQueue({ concurrency: lanes }).addAll(work)
}
