import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect } from 'vitest'
import { isPgbouncerInstalled, type Pgbouncer, startPgbouncer } from '../../support/start-pgbouncer.js'
import { terminateConnections } from '../database-activity.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import { FaultProxy } from '../fault-proxy.js'
import { type Rig, recovery, seconds, until, withRig } from '../rig.js'
import { afterCommit, atRandomByte, beforeStatement } from './connection-cases.js'

const missing = () => (isPgbouncerInstalled('what it does') ? undefined : 'pgbouncer is not installed')

/** Faults with a pgbouncer in transaction mode before the database. */
export const pgbouncerCases: readonly FaultCase[] = [
  {
    id: 'B1',
    title: 'through pgbouncer: cuts on both sides of it, a black hole, ended connections, a lock',
    missing,
    run: (context) => withPgbouncer(context, basics),
    isShort: true,
  },
  {
    id: 'B2',
    mostlyWaits: true,
    title: 'pgbouncer is paused for 30 s, kills its clients, and is killed and started again',
    missing,
    run: (context) => withPgbouncer(context, (rig, parts) => commanded(rig, parts, context)),
  },
  {
    id: 'B3',
    mostlyWaits: true,
    title: 'others hold all connections of pgbouncer for 20 s',
    missing,
    run: (context) => withPgbouncer(context, exhausted),
  },
]

type Parts = { readonly pgbouncer: Pgbouncer; readonly behind: FaultProxy; readonly context: FaultContext }

/** The workers reach pgbouncer through one proxy, and pgbouncer reaches the database through another. */
async function withPgbouncer(
  context: FaultContext,
  work: (rig: Rig, parts: Parts) => Promise<string>,
): Promise<FaultResult> {
  const behind = await FaultProxy.start(context.database.connectionString)
  const pgbouncer = await startPgbouncer(behind.through(context.database.connectionString))
  try {
    const watched = async (rig: Rig) => {
      const note = await work(rig, { pgbouncer, behind, context })
      // What a session that is not one's own would bring about; all that pgbouncer itself says is 08P01, and passes.
      for (const worker of rig.workers)
        expect(worker.stderr()).not.toMatch(/"reason":"(26000|42P05)"|"kind":"configuration"/)
      return note
    }
    return await withRig(context, watched, { databaseUrl: pgbouncer.connectionString })
  } finally {
    await pgbouncer.stop()
    behind.close()
  }
}

async function basics({ proxy, start }: Rig, { behind, context }: Parts): Promise<string> {
  const { database, random, scale } = context
  const cuts = scale === 'short' ? 2 : 50
  const settings = { loggers: 8, rowsPerSecond: 10, options: { batchSize: 2, flushIntervalMs: 20 } }
  const worker = await start(settings)
  for (const place of [proxy, behind]) {
    for (const plan of [afterCommit, beforeStatement, atRandomByte]) {
      const wanted = place.cuts + cuts
      place.planCut = () => plan(random)
      place.breakAll()
      await until(() => place.cuts >= wanted, 240_000)
      place.planCut = () => undefined
    }
    place.passage = { does: 'stall' }
    await sleep(scale === 'short' ? 1000 : 20_000)
    place.passage = { does: 'pass' }
    place.breakAll()
    await terminateConnections(database)
  }
  const client = await database.pool.connect()
  await client.query('begin; lock table token_usage_logs in access exclusive mode')
  await sleep(scale === 'short' ? 1000 : 12_000)
  await client.query('rollback')
  client.release()
  return `${proxy.cuts} cuts before it, ${behind.cuts} behind it; recovered in ${seconds(await recovery(worker, 90_000))}`
}

async function commanded({ start }: Rig, { pgbouncer }: Parts, { log }: FaultContext): Promise<string> {
  const worker = await start()
  await until(async () => (await worker.ask()).written > 0, 60_000)
  const recovered: string[] = []
  const afterwards = async (what: string) => {
    recovered.push(`${what} ${seconds(await recovery(worker, 60_000))}`)
    log(recovered.at(-1) ?? '')
  }
  await pgbouncer.command('pause')
  await sleep(30_000)
  await pgbouncer.command('resume')
  await afterwards('a pause of 30 s')
  await pgbouncer.command('kill test')
  await sleep(2000)
  await pgbouncer.command('resume test')
  await afterwards('KILL')
  await pgbouncer.restart()
  await afterwards('a restart')
  return `recovered after ${recovered.join(', ')}`
}

async function exhausted({ start }: Rig, { pgbouncer }: Parts): Promise<string> {
  const worker = await start()
  await until(async () => (await worker.ask()).written > 0, 60_000)
  const others = Array.from({ length: 3 }, () => new pg.Client({ connectionString: pgbouncer.connectionString }))
  for (const client of others) {
    await client.connect()
    await client.query('begin')
  }
  await sleep(20_000)
  const { retries } = await worker.ask()
  for (const client of others) await client.end()
  expect(retries).toBeGreaterThan(0)
  return `${retries} failed writes; recovered in ${seconds(await recovery(worker, 60_000))}`
}
