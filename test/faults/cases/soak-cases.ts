import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { most, oldTransactions, terminateConnections } from '../database-activity.js'
import type { FaultCase, FaultContext } from '../fault-case.js'
import type { Worker } from '../fleet.js'
import { type Rig, recovery, residentMb, withRig } from '../rig.js'
import { afterCommit, atRandomByte, beforeStatement } from './connection-cases.js'

/** All faults together for a long time. */
export const soakCases: readonly FaultCase[] = [
  {
    id: 'L3',
    title: '20 minutes of faults in a random order, processes killed among them: memory and files do not grow',
    run: (context) =>
      withRig(context, (rig) => soak(rig, context), { spoolDir: join(context.temporaryDirectory, 'spool') }),
  },
]

const soakMs = 20 * 60_000
const warmUpMs = 60_000

type Fault = (rig: Rig, context: FaultContext) => Promise<unknown>

const pause = ({ random }: FaultContext, most: number) => sleep(random.integer(500, most))

const faults: Readonly<Record<string, Fault>> = {
  cuts: async ({ proxy }, context) => {
    const plan = context.random.pick([afterCommit, atRandomByte, beforeStatement])
    proxy.planCut = () => plan(context.random)
    await pause(context, 5000)
    proxy.planCut = () => undefined
  },
  reset: async ({ proxy }) => proxy.breakAll(),
  'black hole': async ({ proxy }, context) => {
    proxy.passage = { does: 'stall' }
    await pause(context, 25_000)
  },
  delay: async ({ proxy }, context) => {
    proxy.passage = { does: 'delay', toServerMs: 200, toClientMs: 200 }
    await pause(context, 8000)
  },
  throttle: async ({ proxy }, context) => {
    proxy.passage = { does: 'throttle', bytesPerSecond: 4096 }
    await pause(context, 10_000)
  },
  refuse: async ({ proxy }, context) => {
    proxy.refuse()
    await pause(context, 15_000)
    await proxy.accept()
  },
  terminate: (_rig, { database }) => terminateConnections(database),
  lock: async (_rig, context) => {
    const client = await context.database.pool.connect()
    await client.query('begin; lock table token_usage_logs in access exclusive mode')
    await pause(context, 12_000)
    await client.query('rollback')
    client.release()
  },
  rename: async (_rig, context) => {
    await context.database.query('alter table token_usage_logs rename to elsewhere')
    await pause(context, 1000)
    await context.database.query('alter table elsewhere rename to token_usage_logs')
  },
}

async function soak(rig: Rig, context: FaultContext): Promise<string> {
  const { random, temporaryDirectory, log, database } = context
  const settings = { rowsPerSecond: 60, options: { spoolDir: join(temporaryDirectory, 'spool') } }
  const resident = await rig.start(settings)
  let mortal = await rig.start(settings)
  const startedAt = performance.now()
  const inFiveMinutes = () => Math.floor((performance.now() - startedAt) / 300_000)
  let kills = 0
  let done = 0
  let early: Footprint | undefined
  for (let told = 0; performance.now() - startedAt < soakMs; done++) {
    const name = random.pick(Object.keys(faults))
    await faults[name]?.(rig, context)
    rig.proxy.passage = { does: 'pass' }
    if (random.integer(0, 2) === 0) {
      if (await endOrKill(mortal)) kills += 1
      mortal = await rig.start(settings)
    }
    await pause(context, 6000)
    if (performance.now() - startedAt > warmUpMs) early ??= footprint(resident)
    if (inFiveMinutes() > told)
      log(`${++told * 5} minutes: ${done} faults, ${kills} kills, ${tell(footprint(resident))}`)
  }
  await recovery(resident, 90_000)
  const connections = await most(() => countConnections(context), 2000)
  const late = footprint(resident)
  expect(late.files).toBeLessThanOrEqual((early?.files ?? 0) + 5)
  expect(late.megabytes).toBeLessThan((early?.megabytes ?? 0) + 64)
  expect(connections).toBeLessThanOrEqual(2)
  expect(await oldTransactions(database, 60)).toBe(0)
  return `${done} faults, ${kills} kills; after a minute ${tell(early)}, at the end ${tell(late)}; ${connections} connections`
}

/** Kills it; where its disk was too slow for the spool, its rows are in memory only, and it is let close. */
async function endOrKill(worker: Worker): Promise<boolean> {
  const hasNoSpool = worker.stderr().includes('cannot be used')
  if (hasNoSpool) await worker.finish()
  else worker.process.kill('SIGKILL')
  return !hasNoSpool
}

type Footprint = { readonly megabytes: number; readonly files: number }

function footprint(worker: Worker): Footprint {
  return { megabytes: residentMb(worker), files: readdirSync(`/proc/${worker.process.pid}/fd`).length }
}

function tell(footprint: Footprint | undefined): string {
  return `${footprint?.megabytes.toFixed(0)} MB and ${footprint?.files} open files`
}

async function countConnections({ database }: FaultContext): Promise<number> {
  const [row] = await database.query(`select count(*)::int as count from pg_stat_activity
    where datname = current_database() and application_name = 'tokenledger'`)
  return row?.count
}
