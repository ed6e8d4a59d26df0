import { expect } from 'vitest'
import { verify } from '../../src/postgres/verify.js'
import type { TestDatabase } from '../support/test-database.js'
import type { Worker } from './fleet.js'

/** What became of the rows that workers announced. */
export type Verdict = {
  readonly announced: number
  readonly rows: number
  /** Announced, and neither a row nor a dead letter nor counted as lost. */
  readonly lost: number
  /** Announced, and neither a row nor a dead letter: `lost`, and what is counted. */
  readonly missing: number
  readonly firstMissing: readonly string[]
  readonly twice: number
  /** Rows that the store counts as lost, by reason. A write that a kill cut in two is one, of a turn that had not ended. */
  readonly counted: Readonly<Record<string, number>>
}

export type JudgedDatabase = Pick<TestDatabase, 'connectionString' | 'pool' | 'query'>

/** Compares what was announced with what is stored. */
export async function judge(database: JudgedDatabase, announced: readonly string[]): Promise<Verdict> {
  const stored = await database.query('select response_id from token_usage_logs')
  const letters = await database.query("select record ->> 'responseId' as id from token_usage_dead_letters")
  const losses = await database.query('select reason, sum(records)::int as records from token_usage_losses group by 1')
  const rows = stored.map((row) => row.response_id as string)
  const known = new Set([...rows, ...letters.map(({ id }) => id)])
  const absent = announced.filter((id) => !known.has(id))
  const counted = losses.reduce((sum, { records }) => sum + records, 0)
  return {
    announced: announced.length,
    rows: rows.length,
    lost: Math.max(0, absent.length - counted),
    missing: absent.length,
    firstMissing: absent.slice(0, 5),
    twice: rows.length - new Set(rows).size,
    counted: Object.fromEntries(losses.map(({ reason, records }) => [reason, records])),
  }
}

/** What most cases must hold: all that was announced is a row or a dead letter, once, and the daily sums say the same. */
export async function requireExactlyOnce(database: JudgedDatabase, announced: readonly string[]): Promise<Verdict> {
  const verdict = await judge(database, announced)
  expect(verdict.announced).toBeGreaterThan(0)
  expect(verdict, JSON.stringify(verdict)).toMatchObject({ missing: 0, lost: 0, twice: 0 })
  await requireEqualSums(database)
  return verdict
}

/** The daily sums equal the sums of the rows, to the last decimal. */
export async function requireEqualSums(database: JudgedDatabase): Promise<void> {
  expect(await verify(database.pool)).toMatchObject({ differences: 0, firstDifferences: [], rowsWithoutEventId: 0 })
}

/** A worker has told of nothing but its own log lines, and its counts add up each time that it told them. */
export function requireHealthy({ stderr, stats }: Worker): void {
  const strange = stderr()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('{"level"'))
  expect(strange).toEqual([])
  for (const { accepted, written, pending, spooled, deadLettered, dropped } of stats) {
    expect(written + pending + spooled + deadLettered + dropped).toBe(accepted)
  }
}

/** Both, of workers that have ended: the criterion of every case that names no other. */
export async function requireDefault(database: JudgedDatabase, workers: readonly Worker[]): Promise<Verdict> {
  for (const worker of workers) requireHealthy(worker)
  return requireExactlyOnce(
    database,
    workers.flatMap(({ announced }) => announced),
  )
}
