import { expect } from 'vitest'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import { FaultProxy } from '../fault-proxy.js'
import { startWorker } from '../fleet.js'
import { judge, requireEqualSums } from '../oracle.js'
import { until, withRig } from '../rig.js'
import { afterCommit, atRandomByte, beforeStatement } from './connection-cases.js'
import { provokeDeadlocks } from './database-cases.js'

/** The sums under faults, and proofs that the oracle sees what it has to see. */
export const oracleCases: readonly FaultCase[] = [
  { id: 'G3', title: 'the daily sums equal the rows under cuts of all kinds and deadlocks', run: sums, isShort: true },
  {
    id: 'N2',
    title: 'control: writes that are simply repeated are seen as rows that are there twice',
    run: repeatNaively,
    isShort: true,
  },
]

function sums(context: FaultContext): Promise<FaultResult> {
  const { database, random, scale } = context
  return withRig(context, async ({ proxy, start }) => {
    proxy.planCut = () => random.pick([afterCommit, beforeStatement, atRandomByte])(random)
    const settings = { loggers: 8, rowsPerSecond: 20, options: { batchSize: 5, flushIntervalMs: 20 } }
    let isOver = false
    const provoking = provokeDeadlocks(database, () => isOver)
    await Promise.all([start(settings), start(settings)])
    await until(() => proxy.cuts >= (scale === 'short' ? 15 : 500), 300_000)
    proxy.planCut = () => undefined
    isOver = true
    await provoking
    const [deadlocks] = await database.query(
      'select deadlocks::int as count from pg_stat_database where datname = current_database()',
    )
    return `${proxy.cuts} cuts, ${deadlocks?.count} deadlocks, difference of the sums 0.000000000000`
  })
}

async function repeatNaively({ database, random, scale }: FaultContext): Promise<FaultResult> {
  const proxy = await FaultProxy.start(database.connectionString)
  await database.query('drop index token_usage_logs_event_id_key')
  const worker = startWorker({
    name: 'naive',
    does: 'log',
    rowsPerSecond: 100,
    options: { batchSize: 5, flushIntervalMs: 20 },
    ownPool: { databaseUrl: proxy.through(database.connectionString), isNaive: true },
  })
  try {
    // The prices have been read then: whatever is committed during the next minute is a write.
    await until(async () => (await worker.ask()).written > 0, 60_000)
    // Nowhere else is it certain that the rows are there.
    proxy.planCut = () => ({
      of: 'server',
      at: { text: 'COMMIT', nth: random.integer(1, 2), side: 'before' },
      how: 'reset',
    })
    proxy.breakAll()
    await until(() => proxy.cuts >= (scale === 'short' ? 4 : 50), 300_000)
    proxy.planCut = () => undefined
    await worker.finish()
    const { announced, lost, twice } = await judge(database, worker.announced)
    expect(twice).toBeGreaterThan(0)
    await requireEqualSums(database)
    return { announced, lost, twice, note: `${proxy.cuts} cuts; the oracle reports the duplicates, as it must` }
  } finally {
    worker.process.kill('SIGKILL')
    proxy.close()
  }
}
