import { setTimeout as sleep } from 'node:timers/promises'
import type { TestDatabase } from '../support/test-database.js'

type Database = Pick<TestDatabase, 'query'>

/** Transactions of tokenledger that are older than that. */
export async function oldTransactions(database: Database, olderThanSeconds: number): Promise<number> {
  const [row] = await database.query(
    `select count(*)::int as count from pg_stat_activity
    where datname = current_database()
      and application_name = 'tokenledger'
      and xact_start < clock_timestamp() - $1 * interval '1 second'`,
    [olderThanSeconds],
  )
  return row?.count
}

/** The highest number that was seen in this time. */
export async function most(count: () => Promise<number>, forMs: number): Promise<number> {
  let highest = 0
  for (const endsAt = performance.now() + forMs; performance.now() < endsAt; await sleep(200)) {
    highest = Math.max(highest, await count())
  }
  return highest
}

const ours = "datname = current_database() and application_name = 'tokenledger'"

/** Ends all connections of tokenledger. */
export async function terminateConnections(database: Database): Promise<void> {
  await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${ours}`)
}

/** Pids of the server's processes that serve tokenledger. */
export async function backendPids(database: Database): Promise<number[]> {
  const rows = await database.query(`select pid from pg_stat_activity where ${ours}`)
  return rows.map(({ pid }) => pid)
}
