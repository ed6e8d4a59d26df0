import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { SeededRandom } from '../../support/seeded-random.js'
import { most, oldTransactions } from '../database-activity.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import type { Cut } from '../fault-proxy.js'
import { peakMb, type Rig, recovery, residentMb, seconds, until, withRig } from '../rig.js'

// Of the exporter.
const clientTimeoutMs = 15_000

type CutPlan = (random: SeededRandom) => Cut

const how = (random: SeededRandom) => random.pick(['end', 'reset'] as const)

/** The server has committed, or is about to, and nobody hears of it. */
export const afterCommit: CutPlan = (random) =>
  random.pick([
    { of: 'server', at: { text: 'COMMIT', nth: random.integer(1, 2), side: 'before' }, how: how(random) },
    { of: 'server', at: { text: 'INSERT 0', nth: random.integer(1, 2), side: 'before' }, how: how(random) },
    { of: 'client', at: { text: 'commit', nth: random.integer(1, 2), side: 'after' }, how: how(random) },
  ])

/** The server does not see the statement, or sees it and is not told to commit. */
export const beforeStatement: CutPlan = (random) => ({
  of: 'client',
  at: { text: 'insert into', nth: random.integer(1, 2), side: random.pick(['before', 'after'] as const) },
  how: how(random),
})

export const atRandomByte: CutPlan = (random) => ({
  of: random.pick(['client', 'server'] as const),
  at: random.integer(1, 6000),
  how: how(random),
})

/** Cuts so many connections in two, and lets all arrive then. */
export function cutConnections(context: FaultContext, plan: CutPlan, cuts: number) {
  const { random, scale, log } = context
  return withRig(context, async ({ proxy, start }) => {
    proxy.planCut = () => plan(random)
    const loggers = scale === 'short' ? 15 : 40
    const settings = { loggers, rowsPerSecond: 10, options: { batchSize: 2, flushIntervalMs: 20 } }
    await Promise.all([start(settings), start(settings)])
    for (let told = cuts / 4; told <= cuts; told += cuts / 4) {
      await until(() => proxy.cuts >= told, 600_000)
      log(`${proxy.cuts} cuts`)
    }
    proxy.planCut = () => undefined
    return `${proxy.cuts} cuts`
  })
}

const cutCase = (id: string, title: string, { plan, full }: { plan: CutPlan; full: number }): FaultCase => ({
  id,
  title,
  run: (context) => cutConnections(context, plan, context.scale === 'short' ? 50 : full),
})

/** Faults of the way to the database. */
export const connectionCases: readonly FaultCase[] = [
  {
    ...cutCase('C1', 'the connection is cut after the commit, before its answer', { plan: afterCommit, full: 4000 }),
    isShort: true,
  },
  {
    ...cutCase('C2', 'the connection is cut before or while the server sees the statement', {
      plan: beforeStatement,
      full: 3000,
    }),
    isShort: true,
  },
  cutCase('C3', 'the connection is cut at any byte, in both directions', { plan: atRandomByte, full: 3000 }),
  {
    id: 'C4',
    title: 'all connections are reset every 200 ms for 30 s',
    run: (context) => withRig(context, resetOften),
  },
  {
    id: 'C5',
    mostlyWaits: true,
    title: 'a black hole for 60 s: no answer, no end; at most one transaction is left open by it',
    run: (context) => withRig(context, (rig) => blackHole(rig, context)),
    isShort: true,
  },
  {
    id: 'C6',
    mostlyWaits: true,
    title: 'the link goes down and nobody says so; it is noticed, and all arrives when it is up again',
    missing: () => (canNetwork() ? undefined : 'only root can make a network namespace (ip netns)'),
    run: halfOpen,
  },
  {
    id: 'C7',
    mostlyWaits: true,
    title: 'two seconds each way: one write at a time, on one connection',
    run: (context) => withRig(context, slowWay),
  },
  {
    id: 'C8',
    title: '1 KB/s, 300 rows/s: what piles up keeps to its bound of memory and goes to the spool',
    run: (context) => withRig(context, (rig) => throttled(rig, context)),
  },
  { id: 'C9', title: 'one byte in each segment', run: (context) => withRig(context, inBytes) },
  {
    id: 'C10',
    mostlyWaits: true,
    title: 'answers come 5 s after the client has given up; no transaction outlives its client',
    run: (context) => withRig(context, (rig) => lateAnswers(rig, context)),
  },
]

async function resetOften({ proxy, start }: Rig): Promise<string> {
  const worker = await start()
  await sleep(3000)
  const resets = setInterval(() => proxy.breakAll(), 200)
  await sleep(30_000)
  clearInterval(resets)
  const { retries } = await worker.ask()
  return `${retries} failed writes; everything written ${seconds(await recovery(worker, 40_000))} after the last reset`
}

async function blackHole({ proxy, start }: Rig, { scale, database }: FaultContext): Promise<string> {
  const worker = await start()
  await sleep(1000)
  proxy.passage = { does: 'stall' }
  const zombies = await most(() => oldTransactions(database, 1), scale === 'short' ? 3000 : 60_000)
  proxy.passage = { does: 'pass' }
  const recovered = await recovery(worker, 60_000)
  expect(zombies).toBeLessThanOrEqual(1)
  return `${zombies} transaction left open; recovered ${seconds(recovered)} after it`
}

const canNetwork = () => spawnSync('ip', ['netns', 'add', 'tokenledger-try']).status === 0 && deleteNetwork('try')
const deleteNetwork = (name: string) => spawnSync('ip', ['netns', 'del', `tokenledger-${name}`]).status === 0

async function halfOpen(context: FaultContext): Promise<FaultResult> {
  const name = context.random.id(6)
  const address = `10.213.${context.random.integer(0, 255)}`
  const ip = (line: string) => execFileSync('ip', line.split(' '))
  const inside = (line: string) => ip(`-n tokenledger-${name} ${line}`)
  ip(`netns add tokenledger-${name}`)
  try {
    ip(`link add tl${name} type veth peer name eth0 netns tokenledger-${name}`)
    ip(`addr add ${address}.1/24 dev tl${name}`)
    ip(`link set tl${name} up`)
    inside(`addr add ${address}.2/24 dev eth0`)
    inside('link set eth0 up')
    const command = ['ip', 'netns', 'exec', `tokenledger-${name}`]
    const cutLink = async ({ start }: Rig) => {
      const worker = await start({ command })
      await sleep(1000)
      ip(`link set tl${name} down`)
      const noticed = await until(async () => (await worker.ask()).state !== 'running', 30_000)
      await sleep(10_000)
      ip(`link set tl${name} up`)
      const recovered = await recovery(worker, 60_000)
      return `noticed after ${seconds(noticed)}, recovered ${seconds(recovered)} after it was up again`
    }
    return await withRig(context, cutLink, { host: `${address}.1` })
  } finally {
    deleteNetwork(name)
  }
}

async function slowWay({ proxy, start }: Rig): Promise<string> {
  const worker = await start({ rowsPerSecond: 100 })
  await until(async () => (await worker.ask()).written > 0, 60_000)
  proxy.passage = { does: 'delay', toServerMs: 2000, toClientMs: 2000 }
  await sleep(40_000)
  const { retries } = await worker.ask()
  proxy.passage = { does: 'pass' }
  expect(proxy.mostOpen).toBe(1)
  return `one connection at a time (${proxy.connections} in all), ${retries} failed writes`
}

async function throttled({ proxy, start }: Rig, { temporaryDirectory }: FaultContext): Promise<string> {
  const maxMemoryMb = 1
  // Otherwise V8 leaves garbage lying about while there is room: what is measured is what is kept.
  const command = ['env', 'NODE_OPTIONS=--max-old-space-size=64 --max-semi-space-size=1']
  const options = { maxMemoryMb, spoolDir: join(temporaryDirectory, 'spool') }
  const worker = await start({ command, rowsPerSecond: 300, options })
  await sleep(10_000)
  const before = peakMb(worker)
  proxy.passage = { does: 'throttle', bytesPerSecond: 1024 }
  await sleep(30_000)
  const { spooled, pending } = await worker.ask()
  const grown = Math.max(0, residentMb(worker) - before)
  proxy.passage = { does: 'pass' }
  const recovered = await recovery(worker, 60_000)
  expect(spooled).toBeGreaterThan(0)
  expect(grown).toBeLessThan(maxMemoryMb + 32)
  return `${pending} rows in memory and ${spooled} on disk, ${grown.toFixed(0)} MB more in use; recovered in ${seconds(recovered)}`
}

async function inBytes({ proxy, start }: Rig): Promise<string> {
  proxy.passage = { does: 'split' }
  const worker = await start({ rowsPerSecond: 200 })
  await sleep(10_000)
  const { retries, written } = await worker.ask()
  expect(written).toBeGreaterThan(0)
  expect(retries).toBe(0)
  return `${written} rows written in single bytes`
}

async function lateAnswers({ proxy, start }: Rig, { database }: FaultContext): Promise<string> {
  const worker = await start({ rowsPerSecond: 100 })
  await until(async () => (await worker.ask()).written > 0, 60_000)
  proxy.passage = { does: 'delay', toServerMs: 0, toClientMs: clientTimeoutMs + 5000 }
  const outlived = await most(() => oldTransactions(database, clientTimeoutMs / 1000 + 1), 25_000)
  const { retries } = await worker.ask()
  proxy.passage = { does: 'pass' }
  const recovered = await recovery(worker, 60_000)
  expect(outlived).toBe(0)
  expect(retries).toBeGreaterThan(0)
  return `${retries} failed writes; recovered in ${seconds(recovered)}`
}
