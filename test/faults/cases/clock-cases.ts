import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { createPool } from '../../../src/postgres/pool.js'
import { setReportingZone } from '../../../src/postgres/reporting-zone.js'
import { PostgresUsageExporter } from '../../../src/postgres/usage-exporter.js'
import { verify } from '../../../src/postgres/verify.js'
import { draftRecord } from '../../../src/usage/draft-record.js'
import { toUsageRecord } from '../../../src/usage/to-usage-record.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import { startWorker, type Worker } from '../fleet.js'
import { requireDefault, requireEqualSums } from '../oracle.js'
import { until } from '../rig.js'
import { silent, spoolOptions, tell } from '../spool-rig.js'

const findClock = () => spawnSync('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' })
const missing = () => (findClock().status === 0 ? undefined : "Debian's package faketime is not installed")

/** Faults of the clock, and days that are not like others. */
export const clockCases: readonly FaultCase[] = [
  { id: 'K1', title: 'the clock is a day off, either way, or jumps by an hour', missing, run: runWithWrongClocks },
  { id: 'K2', title: 'the clock goes back: ids go on in the order of the rows', missing, run: turnClockBack },
  { id: 'K3', title: 'the year ends and clocks change: the daily sums know the days of the zone', run: countDays },
  {
    id: 'L2',
    title: 'the event loop is blocked: the timers catch up once, not with a burst of writes',
    run: blockLoop,
  },
]

async function runWithWrongClocks(context: FaultContext): Promise<FaultResult> {
  const { scale, database } = context
  const jumps = Array.from({ length: scale === 'short' ? 4 : 20 }, () => context.random.pick(['+1h', '-1h', '+0']))
  const workers = await Promise.all([
    logWithClock(context, 'ahead', ['+1d']),
    logWithClock(context, 'behind', ['-1d']),
    logWithClock(context, 'jumping', ['+0', ...jumps]),
  ])

  const verdict = await requireDefault(database, workers)
  const hours = await database.query(
    `select split_part(response_id, '-', 1) as worker, round(extract(epoch from max("timestamp") - now()) / 3600)::int as most
    from token_usage_logs group by 1 order by 1`,
  )
  // The clocks were wrong indeed, and no row was refused for it.
  expect(hours.slice(0, 2)).toEqual([
    { worker: 'ahead', most: 24 },
    { worker: 'behind', most: -24 },
  ])
  const { rowsInTheFuture } = await verify(database.pool)
  expect(rowsInTheFuture).toBeGreaterThanOrEqual(workers[0].announced.length)
  return tell(
    verdict,
    `+1 day, -1 day, ${jumps.length} jumps of an hour; rows have the time that the clock told; verify tells ${rowsInTheFuture} in the future`,
  )
}

async function turnClockBack(context: FaultContext): Promise<FaultResult> {
  const worker = await logWithClock(context, 'back', ['+0', '-1h', '-2h', '-3h', '-1d'])

  const verdict = await requireDefault(context.database, [worker])
  const rows = await context.database.query(
    'select response_id as id, extract(epoch from "timestamp")::float8 as at from token_usage_logs order by event_id',
  )
  expect(rows.map(({ id }) => id)).toEqual(worker.announced)
  expect((rows.at(-1)?.at ?? 0) - (rows[0]?.at ?? 0)).toBeLessThan(-23 * 3600)
  return tell(verdict, 'back by one, two, three and 24 hours; the ids are in the order of log()')
}

async function blockLoop(context: FaultContext): Promise<FaultResult> {
  const blockMs = context.scale === 'short' ? 2000 : 30_000
  const flushIntervalMs = 100
  const options = { ...spoolOptions(context), batchSize: 100_000, flushIntervalMs }
  const worker = startWorker({ name: 'blocked', does: 'log', rowsPerSecond: 300, options })
  await until(async () => (await worker.ask()).written > 0, 20_000)
  const before = await countWrites(context)
  worker.process.stdin?.write(`block ${blockMs}\n`)
  // Answered when the loop is free again.
  await worker.ask()
  const freeAt = performance.now()
  await sleep(1000)
  const writes = (await countWrites(context)) - before
  const mostWrites = Math.ceil((performance.now() - freeAt) / flushIntervalMs) + 3
  await worker.finish()

  const verdict = await requireDefault(context.database, [worker])
  expect(writes).toBeGreaterThan(0)
  expect(writes).toBeLessThanOrEqual(mostWrites)
  return tell(
    verdict,
    `${blockMs / 1000} s; ${writes} writes in the second after it, ${blockMs / flushIntervalMs} were due`,
  )
}

async function countWrites({ database }: FaultContext): Promise<number> {
  const [found] = await database.query('select count(distinct xmin::text)::int as writes from token_usage_logs')
  return found?.writes
}

/** Logs while the clock shows one wrong time after the other. */
async function logWithClock(context: FaultContext, name: string, offsets: readonly string[]): Promise<Worker> {
  const file = join(context.temporaryDirectory, `${name}.clock`)
  const turn = (offset: string) => writeFileSync(file, offset)
  turn(offsets[0] ?? '+0')
  const clock = ['NO_CACHE=1', 'DONT_FAKE_MONOTONIC=1', `TIMESTAMP_FILE=${file}`].map((text) => `FAKETIME_${text}`)
  const command = ['env', `LD_PRELOAD=${findClock().stdout.trim()}`, ...clock]
  const options = { ...spoolOptions(context, name), batchSize: 20, flushIntervalMs: 50 }
  const worker = startWorker({ name, does: 'log', rowsPerSecond: 300, options }, command)
  await until(() => worker.announced.length > 0, 20_000)
  for (const offset of offsets) {
    turn(offset)
    const seen = worker.announced.length
    await sleep(250)
    await until(() => worker.announced.length > seen + 10, 20_000)
  }
  await worker.finish()
  return worker
}

const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia']
// Ends of years, a leap day, and days on which clocks change in one of the zones.
const days = [
  '2023-12-31',
  '2024-02-29',
  '2026-03-08',
  '2026-03-29',
  '2026-04-05',
  '2026-10-25',
  '2026-11-01',
  '2026-12-31',
]

async function countDays({ database }: FaultContext): Promise<FaultResult> {
  const pool = createPool(
    { databaseUrl: database.connectionString, sslEnvironment: { isHeroku: false }, maxConnections: 1 },
    silent,
  )
  const exporter = new PostgresUsageExporter(pool, 'owned')
  const times: number[] = []
  for (const zone of zones) {
    // The rows of the zones before are counted anew, and those of this one as they come.
    await inTransaction(database, (client) => setReportingZone(client, zone))
    for (const day of days) {
      const minutes = Array.from({ length: 48 * 6 }, (_, index) => Date.parse(day) + (index * 10 - 12 * 60) * 60_000)
      await exporter.export(minutes.map((timestamp) => createRecord(timestamp)))
      times.push(...minutes)
    }
    const found = await database.query(
      'select day::text, sum(requests)::int as requests from token_usage_daily group by 1',
    )
    expect(new Map(found.map(({ day, requests }) => [day, requests]))).toEqual(countByDay(times, zone))
    await requireEqualSums(database)
  }
  await exporter.close()

  const note = `${zones.join(', ')}; ${days.length} days, a row every 10 minutes; there are no partitions that could be missing`
  return { announced: times.length, lost: 0, twice: 0, note }
}

function createRecord(timestamp: number) {
  const entry = { modelName: 'm', inputTokens: 1, outputTokens: 1, costEstimate: '0.000000000001', timestamp }
  return toUsageRecord(draftRecord(entry, {}, Date.now()))
}

function countByDay(times: readonly number[], timeZone: string): Map<string, number> {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone })
  const counts = new Map<string, number>()
  for (const time of times) counts.set(format.format(time), (counts.get(format.format(time)) ?? 0) + 1)
  return counts
}

async function inTransaction(
  { pool }: FaultContext['database'],
  work: (client: Parameters<typeof setReportingZone>[0]) => Promise<void>,
): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await work(client)
    await client.query('commit')
  } finally {
    client.release()
  }
}
