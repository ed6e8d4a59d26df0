import { spawnSync } from 'node:child_process'
import { readdirSync, renameSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { createUsageLogger } from '../../../src/index.js'
import { createLiveness } from '../../../src/recording/spool/owner.js'
import { segmentsIn } from '../../recording/spool/spool-setup.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import { killWorkers, recoverSpool, startWorker, sumUp, type Worker } from '../fleet.js'
import { leaveSegments } from '../left-segments.js'
import { judge, requireExactlyOnce } from '../oracle.js'
import { until } from '../rig.js'
import { inLanes, type SpoolOptions, silent, spoolOptions, sweepFor, tell, waiting, writing } from '../spool-rig.js'

/** Faults of the process itself: how it ends, and who takes over what it leaves. */
export const processCases: readonly FaultCase[] = [
  {
    id: 'P1',
    title: 'three workers are killed at random: with a spool no row is lost',
    run: surviveKills,
    isShort: true,
  },
  {
    id: 'N1',
    title: 'control: in memory only the same kills lose rows, and the oracle says so',
    run: loseWithoutSpool,
    isShort: true,
  },
  { id: 'P2', title: 'whoever takes over a spool is killed while doing so, and the next one goes on', run: killReplay },
  { id: 'P3', title: 'four processes start at once on the same orphan segments', run: shareOrphans, isShort: true },
  { id: 'P4', title: 'a stopped process keeps its segments, however many others sweep', run: stopWorker },
  { id: 'P5', title: 'a pid is given to another process: what the first one left is taken over', run: reusePid },
  {
    id: 'P6',
    title: 'two containers share a volume, with the same pids in both',
    missing: () => (spawnSync('unshare', ['-pf', 'true']).status === 0 ? undefined : 'only root can make a namespace'),
    run: shareVolume,
  },
  {
    id: 'P7',
    title: 'segments are taken from a process that goes on writing, and is killed later',
    run: stealSegments,
  },
  { id: 'P8', title: 'the process runs out of memory', run: exhaustMemory },
  {
    id: 'P9',
    title: 'process.exit(), at once or a turn later, and an exception that nobody catches',
    run: endByItself,
  },
]

async function surviveKills(context: FaultContext): Promise<FaultResult> {
  const { scale, random, database } = context
  const kills = scale === 'short' ? 20 : 1000
  const options = spoolOptions(context)
  const { announced, stalled } = await killWorkers({ kills, workers: 3, random, options })
  await recoverSpool(options)

  const verdict = await requireExactlyOnce(database, announced)
  expect(verdict.rows).toBeGreaterThan(kills)
  expect(segmentsIn(options.spoolDir)).toEqual([])
  return tell(verdict, `${kills} kills${stalledNote(stalled)}`)
}

async function loseWithoutSpool({ scale, random, database }: FaultContext): Promise<FaultResult> {
  const kills = scale === 'short' ? 3 : 30
  const options = { ...writing(database.connectionString), spoolDir: undefined }
  const { announced } = await killWorkers({ kills, workers: 3, random, options })

  const verdict = await judge(database, announced)
  expect(verdict.lost).toBeGreaterThan(0)
  expect(verdict.twice).toBe(0)
  // A kill takes the rows of one interval and of the write in flight, at 1500 rows a second.
  expect(verdict.lost).toBeLessThan(kills * 1500)
  return tell(verdict, `${kills} kills; ${(verdict.lost / kills).toFixed(0)} rows lost by each, as they must be`)
}

async function killReplay(context: FaultContext): Promise<FaultResult> {
  const { scale, random, database } = context
  const trials = scale === 'short' ? 4 : 100
  const segments = 20
  const announced: string[] = []
  let cutInTheMiddle = 0
  const trial = (index: number) => async () => {
    const options = { ...spoolOptions(context, `spool-${index}`), maxBatchSize: 10 }
    announced.push(...leaveSegments(options.spoolDir, { segments, rows: 50, name: `trial${index}` }))
    const worker = startWorker({ name: 'replay', does: 'recover', options })
    const leftAtKill = random.integer(1, segments - 1)
    await until(() => segmentsIn(options.spoolDir).length <= leftAtKill, 60_000)
    worker.process.kill('SIGKILL')
    await worker.ended
    const left = segmentsIn(options.spoolDir).length
    if (left > 0 && left < segments) cutInTheMiddle += 1
    await recoverSpool({ ...options, maxBatchSize: 5000 })
  }
  await inLanes(
    3,
    Array.from({ length: trials }, (_, index) => trial(index)),
  )

  const verdict = await requireExactlyOnce(database, announced)
  expect(cutInTheMiddle).toBeGreaterThan(0)
  return tell(verdict, `${trials} trials; in ${cutInTheMiddle} some segments were done and some were not`)
}

async function shareOrphans(context: FaultContext): Promise<FaultResult> {
  const { scale, database } = context
  const [trials, segments] = scale === 'short' ? [1, 50] : [20, 500]
  const rows = 4
  const announced: string[] = []
  for (let index = 0; index < trials; index++) {
    const options = spoolOptions(context, `spool-${index}`)
    announced.push(...leaveSegments(options.spoolDir, { segments, rows, name: `trial${index}` }))
    const stats = await Promise.all(Array.from({ length: 4 }, () => recoverSpool(options)))
    // Each segment was read by exactly one of them.
    expect(stats.reduce((sum, { recovered }) => sum + recovered, 0)).toBe(segments * rows)
    expect(segmentsIn(options.spoolDir)).toEqual([])
    if (index % 10 === 9) context.log(`${index + 1} of ${trials} trials`)
  }

  const verdict = await requireExactlyOnce(database, announced)
  return tell(verdict, `${trials} trials with ${segments} segments; each segment was read by one process`)
}

async function stopWorker(context: FaultContext): Promise<FaultResult> {
  const stoppedMs = context.scale === 'short' ? 500 : 65_000
  const options = spoolOptions(context)
  const worker = startWorker({ name: 'stopped', does: 'log', options: { ...options, ...waiting } })
  let sweepers = 0
  try {
    await until(() => worker.announced.length > 50, 10_000)
    worker.process.kill('SIGSTOP')
    const before = segmentsIn(options.spoolDir)
    for (const end = Date.now() + stoppedMs; Date.now() < end; sweepers++) await sweepFor(options, stoppedMs / 2)
    expect(segmentsIn(options.spoolDir)).toEqual(before)
    worker.process.kill('SIGCONT')
    await sleep(200)
  } finally {
    worker.process.kill('SIGKILL')
  }
  await worker.ended
  await recoverSpool(options)

  const verdict = await requireExactlyOnce(context.database, worker.announced)
  return tell(verdict, `stopped for ${stoppedMs / 1000} s; ${sweepers} sweepers, each through a sweep after its first`)
}

async function reusePid(context: FaultContext): Promise<FaultResult> {
  const options = spoolOptions(context)
  const { self } = createLiveness()
  leaveSegments(options.spoolDir, { segments: 3, rows: 5, name: 'alive', owner: self })
  const alive = segmentsIn(options.spoolDir)
  const earlier = { ...self, startedAt: '1' }
  const announced = leaveSegments(options.spoolDir, { segments: 3, rows: 5, name: 'earlier', owner: earlier })
  const sweeper = startWorker({ name: 'sweeper', does: 'recover', options })
  await sweeper.started
  await until(() => segmentsIn(options.spoolDir).length === alive.length, 20_000)
  sweeper.process.kill('SIGKILL')
  await sweeper.ended

  expect(segmentsIn(options.spoolDir)).toEqual(alive)
  const verdict = await requireExactlyOnce(context.database, announced)
  expect(verdict.rows).toBe(announced.length)
  return tell(verdict, 'the segments of the process that has the pid now were left alone')
}

async function shareVolume(context: FaultContext): Promise<FaultResult> {
  const options = spoolOptions(context)
  const container = ['unshare', '-pf', '--kill-child=SIGKILL', '--mount-proc']
  const start = (name: string) =>
    startWorker({ name, does: 'log', options: { ...options, ...waiting }, rowsPerSecond: 500 }, container)
  const workers = [start('first'), start('second')]
  try {
    await until(() => workers.every(({ announced }) => announced.length > 50), 20_000)
    const before = segmentsIn(options.spoolDir)
    await sweepFor(options, context.scale === 'short' ? 500 : 33_000)
    expect(segmentsIn(options.spoolDir)).toEqual(expect.arrayContaining(before))
  } finally {
    for (const worker of workers) worker.process.kill('SIGKILL')
  }
  await Promise.all(workers.map(({ ended }) => ended))
  const left = segmentsIn(options.spoolDir)
  await sweepFor(options, 500)
  expect(segmentsIn(options.spoolDir)).toEqual(left)
  const longAgo = Date.now() / 1000 - 11 * 60
  for (const name of readdirSync(options.spoolDir)) utimesSync(join(options.spoolDir, name), longAgo, longAgo)
  await recoverSpool(options)

  const announced = workers.flatMap((worker) => worker.announced)
  const verdict = await requireExactlyOnce(context.database, announced)
  return tell(
    verdict,
    `${left.length} segments, left alone until nothing had been heard of their owners for ten minutes`,
  )
}

async function stealSegments(context: FaultContext): Promise<FaultResult> {
  const trials = context.scale === 'short' ? 3 : 40
  const victims: Worker[] = []
  let stolen = 0
  const trial = (index: number) => async () => {
    const options = spoolOptions(context, `spool-${index}`)
    const worker = startWorker({ name: `victim${index}`, does: 'log', options: { ...options, ...waiting } })
    await worker.started
    let taken = 0
    for (const enough = context.random.integer(2, 6); taken < enough; await sleep(40)) taken += await steal(options)
    stolen += taken
    await sleep(context.random.integer(0, 200))
    worker.process.kill('SIGKILL')
    await worker.ended
    await recoverSpool(options)
    victims.push(worker)
  }
  await inLanes(
    3,
    Array.from({ length: trials }, (_, index) => trial(index)),
  )

  const { announced, stalled } = sumUp(victims)
  const verdict = await requireExactlyOnce(context.database, announced)
  expect(stolen).toBeGreaterThan(trials)
  return tell(verdict, `${trials} victims, ${stolen} segments taken and stored by others${stalledNote(stalled)}`)
}

/** Makes all segments of a spool nobody's, although their owner runs, and stores them. */
async function steal(options: SpoolOptions): Promise<number> {
  const names = segmentsIn(options.spoolDir)
  for (const name of names) {
    renameSync(join(options.spoolDir, name), join(options.spoolDir, name.replace(/^[^-]+/, 'free')))
  }
  if (names.length === 0) return 0
  const thief = createUsageLogger({ ...options, enabled: true, logger: silent })
  const isLeft = () => segmentsIn(options.spoolDir).some((name) => names.some((stolen) => isSame(name, stolen)))
  while (isLeft() || thief.stats().spooled > 0) await thief.flush()
  await thief.close()
  return names.length
}

function isSame(name: string, stolen: string): boolean {
  return name.startsWith('free') && name.replace(/^[^-]+/, '') === stolen.replace(/^[^-]+/, '')
}

async function exhaustMemory(context: FaultContext): Promise<FaultResult> {
  const options = { ...spoolOptions(context), ...waiting }
  const limit = ['env', 'NODE_OPTIONS=--max-old-space-size=64']
  const worker = startWorker({ name: 'oom', does: 'exhaust memory', options }, limit)
  await worker.ended
  await recoverSpool(options)

  expect(worker.stderr()).toContain('heap out of memory')
  const verdict = await requireExactlyOnce(context.database, worker.announced)
  return tell(verdict, `ended by ${worker.process.signalCode ?? worker.process.exitCode}`)
}

async function endByItself(context: FaultContext): Promise<FaultResult> {
  const endings = ['exit', 'exit at once', 'throw'] as const
  const announced: string[] = []
  for (const does of endings) {
    const options = spoolOptions(context)
    const worker = startWorker({ name: does, does, options: { ...options, flushIntervalMs: 60_000 } })
    await worker.ended
    await recoverSpool(options)
    expect(worker.announced).toHaveLength(7)
    expect(worker.stderr()).toContain('7 usage rows not written: they wait in the spool for the next start')
    announced.push(...worker.announced)
  }

  const verdict = await requireExactlyOnce(context.database, announced)
  return tell(verdict, `${endings.join(', ')}; each said how many rows wait`)
}

function stalledNote(stalled: number): string {
  return stalled === 0 ? '' : `; ${stalled} left out, whose spool had told that the disk stalls`
}
