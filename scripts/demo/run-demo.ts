import { randomBytes } from 'node:crypto'
import { readSslEnvironment } from '../../src/config.js'
import { migrate } from '../../src/postgres/migrator.js'
import { createPool } from '../../src/postgres/pool.js'
import { planCalls } from './call-plan.js'
import { type Comparison, type CountedCall, compare } from './compare.js'
import { type DemoCosts, readCosts } from './costs.js'
import { type DemoDatabase, openDatabase } from './database.js'
import { makeCalls } from './make-calls.js'
import { renderReports } from './reports.js'
import { readStoredRows, type StoredRow } from './stored-rows.js'

export type DemoResult = Comparison & {
  /** Rows of each status. */
  readonly statuses: Readonly<Record<string, number>>
  readonly costs: DemoCosts
  /** From the first call until the last row was written. */
  readonly elapsedMs: number
  /** The documented queries over all rows of the database, as tables. */
  readonly reports: string
}

export type DemoEnvironment = {
  /** Told what is going on, in a few words. */
  readonly report: (message: string) => void
  /** Breaks the demo off: what was logged is written, everything is closed, and the promise rejects. */
  readonly signal: AbortSignal
}

/** Makes 200 calls of models through an app that uses tokenledger, and compares its rows with what the provider counted. */
export async function runDemo(environment: DemoEnvironment): Promise<DemoResult> {
  const { report, signal } = environment
  const database = await openDatabase({ ...environment, dataDirectory: '.data' })
  try {
    signal.throwIfAborted()
    await migrate(database.url, { onProgress: report })
    // What earlier runs and others have written stays out of the comparison.
    const prefix = `demo-${randomBytes(4).toString('hex')}-`
    const startedAt = performance.now()
    const calls = await makeCalls(planCalls(prefix), { ...environment, databaseUrl: database.url })
    const elapsedMs = Math.round(performance.now() - startedAt)
    signal.throwIfAborted()
    return await inspect({ database, calls, prefix, elapsedMs })
  } finally {
    await database.close()
  }
}

type Inspection = {
  readonly database: DemoDatabase
  readonly calls: readonly CountedCall[]
  readonly prefix: string
  readonly elapsedMs: number
}

async function inspect({ database, calls, prefix, elapsedMs }: Inspection): Promise<DemoResult> {
  const pool = createPool({ databaseUrl: database.url, sslEnvironment: readSslEnvironment(), maxConnections: 1 })
  try {
    const rows = await readStoredRows(pool, prefix)
    const costs = await readCosts(pool, prefix)
    const reports = await renderReports(pool)
    return { ...compare(calls, rows), statuses: countStatuses(rows), costs, elapsedMs, reports }
  } finally {
    await pool.end()
  }
}

function countStatuses(rows: readonly StoredRow[]): Record<string, number> {
  const counts: Record<string, number> = { ok: 0, aborted: 0, error: 0 }
  for (const { status } of rows) counts[String(status)] = (counts[String(status)] ?? 0) + 1
  return counts
}
