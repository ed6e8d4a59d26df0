import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { segmentsIn } from '../../recording/spool/spool-setup.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import { FaultProxy } from '../fault-proxy.js'
import { recoverSpool, startWorker, type Worker } from '../fleet.js'
import { encodeRow, leaveSegment, readSpool } from '../left-segments.js'
import { judge, requireDefault, requireEqualSums, requireHealthy } from '../oracle.js'
import { until } from '../rig.js'
import { type SpoolOptions, spoolOptions, tell, waiting } from '../spool-rig.js'

const canMount = () => (spawnSync('unshare', ['-m', 'true']).status === 0 ? undefined : 'only root can mount a disk')

/** Faults of the disk that the spool is on. */
export const spoolCases: readonly FaultCase[] = [
  {
    id: 'F1',
    title: 'the disk of the spool is full, in the middle of a row, and has room again later',
    missing: canMount,
    run: fillDisk,
    isShort: true,
  },
  {
    id: 'F2',
    title: 'the spool is read-only, forbidden or removed, or no file can be opened: rows stay in memory',
    missing: canMount,
    run: forbidSpool,
  },
  {
    id: 'F3',
    title: 'a segment ends at any byte of its last three rows: all rows before it are stored',
    run: tearTails,
    isShort: true,
  },
  {
    id: 'F4',
    title: 'any bit of a row is flipped: the rows beside it are stored, and nothing wrong is',
    run: flipBits,
  },
  { id: 'F5', title: 'each write to the spool takes 200 ms: no more than three are waited for', run: stallDisk },
  { id: 'F6', title: 'memory and spool are full for an hour: what is dropped is counted, to the row', run: fillBoth },
  {
    id: 'F7',
    title: 'the spool is a symbolic link, anybody may write there, or it is another user’s: it is refused',
    missing: canMount,
    run: refuseDirectory,
  },
]

const diskKb = 1024
const filledRows = 1500

async function fillDisk(context: FaultContext): Promise<FaultResult> {
  const roomsKb = context.scale === 'short' ? [256] : [0, 64, 256]
  const control = await startFilling(context, { name: 'no-spool' })
  const workers = await Promise.all(roomsKb.map((roomKb) => fillDiskTo(context, roomKb)))
  await control.finish()
  await Promise.all(workers.map((worker) => worker.finish()))

  const verdict = await requireDefault(context.database, [control, ...workers])
  const p99 = [control, ...workers].map((worker) => worker.stats[0]?.turns?.p99.toFixed(2))
  const rooms = roomsKb.map((roomKb) => `${roomKb} KB`).join(', ')
  return tell(
    verdict,
    `room for ${rooms}; p99 of a turn ${p99[0]} ms without a spool, ${p99.slice(1).join(', ')} with it`,
  )
}

/** Lets a worker fill its disk, makes room in the full scale, and looks at what is on it each time. */
async function fillDiskTo(context: FaultContext, roomKb: number): Promise<Worker> {
  const disk = join(context.temporaryDirectory, `disk-${roomKb}`)
  mkdirSync(disk)
  const spoolDir = join(disk, 'spool')
  const ballast = `head -c ${(diskKb - roomKb) * 1024} /dev/zero > ${disk}/ballast`
  const worker = await startFilling(context, { name: `full-${roomKb}`, spoolDir }, mountedAt(disk, '', ballast))
  const seen = (path: string) => join(`/proc/${worker.process.pid}/root`, path)
  const onDisk = () => readSpool(seen(spoolDir))
  const found = onDisk()

  expect(worker.stats[0]).toMatchObject({ accepted: filledRows, pending: filledRows, dropped: 0 })
  expect(found.damaged).toBe(0)
  expect(found.ids.length).toBeLessThan(filledRows)
  expect(found.ids).toEqual(worker.announced.slice(0, found.ids.length))
  if (roomKb > 0) expect(found.ids.length).toBeGreaterThan(100)
  expect(worker.stderr().match(/cannot be used: ENOSPC/g)).toHaveLength(1)
  if (context.scale === 'short') return worker
  rmSync(seen(join(disk, 'ballast')))
  await until(() => onDisk().ids.length === filledRows, 60_000)
  expect(onDisk()).toEqual({ ids: worker.announced, damaged: 0 })
  return killAndRecover(context, worker, seen(spoolDir))
}

/** The disk goes with the process: what is on it is copied first, and taken over from the copy. */
async function killAndRecover(context: FaultContext, worker: Worker, spoolDir: string): Promise<Worker> {
  worker.process.kill('SIGSTOP')
  const options = spoolOptions(context, `copy-${worker.process.pid}`)
  cpSync(spoolDir, options.spoolDir, { recursive: true })
  worker.process.kill('SIGKILL')
  await worker.ended
  await recoverSpool(options)
  return worker
}

type Filling = { readonly name: string; readonly spoolDir?: string }

async function startFilling(
  context: FaultContext,
  { name, spoolDir }: Filling,
  command: readonly string[] = [],
): Promise<Worker> {
  const options = { ...spoolOptions(context), ...waiting, spoolDir }
  for (let attempt = 0; ; attempt++) {
    const worker = startWorker({ name, does: 'fill', rows: filledRows, options }, command)
    await until(() => worker.stats.length > 0, 30_000)
    // On a busy machine a disk may seem to stall before it is full.
    if (attempt === 5 || !worker.stderr().includes('writes took longer')) return worker
    worker.process.kill('SIGKILL')
    await worker.ended
  }
}

/** Starts what follows with a small disk of its own at `path`. */
function mountedAt(path: string, options: string, before: string): string[] {
  const mount = `mount -t tmpfs -o size=${diskKb}k,mode=700${options} tokenledger ${path}`
  return ['unshare', '-m', 'sh', '-c', `${mount}; (${before}) 2> /dev/null; exec "$@"`, 'sh']
}

async function forbidSpool(context: FaultContext): Promise<FaultResult> {
  const workers = await Promise.all([readOnly(context), forbidden(context), removed(context), withoutFiles(context)])
  await sleep(1000)
  await Promise.all(workers.map((worker) => worker.finish()))
  const reasons = ['EROFS', 'EACCES', '', 'EMFILE']

  for (const [index, reason] of reasons.entries()) {
    if (reason) expect(workers[index]?.stderr()).toContain(`cannot be used: ${reason}`)
  }
  const verdict = await requireDefault(context.database, workers)
  return tell(verdict, 'EROFS, EACCES, ENOENT, EMFILE')
}

async function startLogging(options: SpoolOptions, name: string, command: readonly string[] = []): Promise<Worker> {
  const worker = startWorker({ name, does: 'log', rowsPerSecond: 300, options }, command)
  await until(() => worker.announced.length > 50, 30_000)
  return worker
}

function readOnly(context: FaultContext): Promise<Worker> {
  const options = spoolOptions(context, 'read-only')
  return startLogging(options, 'read-only', mountedAt(options.spoolDir, ',ro', 'true'))
}

function forbidden(context: FaultContext): Promise<Worker> {
  const options = spoolOptions(context, 'forbidden')
  chmodSync(context.temporaryDirectory, 0o755)
  chownSync(options.spoolDir, nobody, nobody)
  chmodSync(options.spoolDir, 0o500)
  return startLogging(options, 'forbidden', ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'])
}

const nobody = 65_534

async function removed(context: FaultContext): Promise<Worker> {
  const options = spoolOptions(context, 'removed')
  const worker = await startLogging({ ...options, ...waiting }, 'removed')
  for (let time = 0; time < 5; time++) {
    rmSync(options.spoolDir, { recursive: true })
    await until(() => segmentsIn(options.spoolDir).length > 0, 60_000)
  }
  // Those of the removed files, too; a disk that seems slow is left alone for half a minute.
  await until(() => readSpool(options.spoolDir).ids.includes('removed-0'), 60_000)
  return worker
}

async function withoutFiles(context: FaultContext): Promise<Worker> {
  const options = spoolOptions(context, 'no-files')
  const worker = await startLogging(options, 'no-files')
  await until(async () => (await worker.ask()).written > 0, 20_000)
  execFileSync('prlimit', ['--pid', String(worker.process.pid), '--nofile=1:'])
  // Otherwise the segment that is open would do for long.
  rmSync(options.spoolDir, { recursive: true })
  return worker
}

const tornRows = 6

async function tearTails(context: FaultContext): Promise<FaultResult> {
  const options = spoolOptions(context)
  const frameBytes = encodeRow(idOf(0, 0)).length
  const framesCut = context.scale === 'short' ? 1 : 3
  const cuts = Array.from({ length: framesCut * frameBytes + 1 }, (_, index) => index)
  const kept: string[] = []
  for (const cut of cuts) {
    const ids = Array.from({ length: tornRows }, (_, row) => idOf(cut, row))
    const path = leaveSegment(options.spoolDir, ids)
    truncateSync(path, statSync(path).size - cut)
    kept.push(...ids.slice(0, tornRows - Math.ceil(cut / frameBytes)))
  }
  await recoverTogether(options)

  const torn = cuts.filter((cut) => cut % frameBytes > 0).length
  const verdict = await judge(context.database, kept)
  expect(verdict).toMatchObject({ missing: 0, twice: 0, rows: kept.length, counted: { spool_damaged: torn } })
  await requireEqualSums(context.database)
  return tell(verdict, `${cuts.length} places; ${torn} torn rows, each counted`)
}

async function flipBits(context: FaultContext): Promise<FaultResult> {
  const options = spoolOptions(context)
  const frameBytes = encodeRow(idOf(0, 0)).length
  const kept: string[] = []
  for (let bit = 0; bit < frameBytes * 8; bit++) {
    const ids = [0, 1, 2].map((row) => idOf(bit, row))
    const path = leaveSegment(options.spoolDir, ids)
    const bytes = readFileSync(path)
    const at = bytes.length - 2 * frameBytes + (bit >> 3)
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (bit & 7)), at)
    writeFileSync(path, bytes)
    kept.push(ids[0] as string, ids[2] as string)
  }
  await recoverTogether(options)

  const verdict = await judge(context.database, kept)
  const counted = { spool_damaged: frameBytes * 8 }
  expect(verdict).toMatchObject({ missing: 0, twice: 0, rows: kept.length, counted })
  const kinds = await context.database.query(
    'select distinct model_name, input_tokens, output_tokens, cost_estimate from token_usage_logs',
  )
  expect(kinds).toHaveLength(1)
  await requireEqualSums(context.database)
  return tell(verdict, `${frameBytes * 8} bits; each damaged row was counted`)
}

/** Many segments, each in a transaction of its own. */
async function recoverTogether(options: SpoolOptions): Promise<void> {
  await Promise.all(Array.from({ length: 4 }, () => recoverSpool(options)))
}

/** All ids, and so all frames, are of the same length. */
function idOf(segment: number, row: number): string {
  return `${String(segment).padStart(6, '0')}-${row}`
}

async function stallDisk(context: FaultContext): Promise<FaultResult> {
  const options = { ...spoolOptions(context), ...waiting }
  const worker = startWorker({ name: 'stalled', does: 'fill', rows: 5000, stallMs: 200, options })
  await until(() => worker.stats.length > 0, 60_000)
  await worker.finish()

  const { turns, stalls } = worker.stats[0] ?? {}
  expect(stalls).toBe(3)
  expect(worker.stderr()).toContain('cannot be used: 3 writes took longer than 50 ms each')
  const verdict = await requireDefault(context.database, [worker])
  return tell(
    verdict,
    `${stalls} stalls; then p50 of a turn ${turns?.p50.toFixed(2)} ms, p99 ${turns?.p99.toFixed(2)} ms`,
  )
}

async function fillBoth(context: FaultContext): Promise<FaultResult> {
  const rows = context.scale === 'short' ? 20_000 : 360_000
  const proxy = await FaultProxy.start(context.database.connectionString)
  proxy.refuse()
  const databaseUrl = proxy.through(context.database.connectionString)
  const options = { ...spoolOptions(context), databaseUrl, maxSpoolMb: 1, maxMemoryMb: 1 }
  const worker = startWorker({ name: 'hour', does: 'fill', rows, closeMs: 60_000, options })
  let mostBytes = 0
  await until(() => {
    mostBytes = Math.max(mostBytes, bytesIn(options.spoolDir))
    return worker.stats.length > 0
  }, 120_000)
  await proxy.accept()
  await worker.finish()
  proxy.close()

  requireHealthy(worker)
  expect(mostBytes).toBeLessThanOrEqual(1024 * 1024 + 256 * 1024)
  const stats = worker.stats.at(-1)
  const verdict = await judge(context.database, worker.announced)
  const counted = Object.values(verdict.counted).reduce((sum, records) => sum + records, 0)
  expect(verdict).toMatchObject({ announced: rows, lost: 0, twice: 0, missing: stats?.dropped })
  expect([counted, stats?.pending, stats?.spooled]).toEqual([stats?.dropped, 0, 0])
  expect(verdict.rows).toBeLessThan(rows)
  await requireEqualSums(context.database)
  return tell(
    verdict,
    `${verdict.rows} rows kept, ${counted} dropped and counted; ${mostBytes >> 10} KB on disk at most`,
  )
}

function bytesIn(spoolDir: string): number {
  return readdirSync(spoolDir).reduce(
    (sum, name) => sum + (statSync(join(spoolDir, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  )
}

async function refuseDirectory(context: FaultContext): Promise<FaultResult> {
  const target = spoolOptions(context, 'target').spoolDir
  const [link, open, foreign] = ['link', 'open', 'foreign'].map((name) => join(context.temporaryDirectory, name)) as [
    string,
    string,
    string,
  ]
  symlinkSync(target, link)
  mkdirSync(open)
  chmodSync(open, 0o777)
  mkdirSync(foreign, { mode: 0o700 })
  chownSync(foreign, nobody, nobody)
  const options = { ...spoolOptions(context), batchSize: 20 }
  const workers = await Promise.all(
    [link, open, foreign].map((spoolDir, index) => startLogging({ ...options, spoolDir }, `refused${index}`)),
  )
  await Promise.all(workers.map((worker) => worker.finish()))

  const reasons = workers.map((worker) => /cannot be used: ([^.;]+)/.exec(worker.stderr())?.[1])
  expect(reasons).toEqual(['it is a symbolic link', 'other users may write there', 'it belongs to another user'])
  expect([target, open, foreign].flatMap((path) => readdirSync(path))).toEqual([])
  const verdict = await requireDefault(context.database, workers)
  return tell(verdict, `refused: ${reasons.join('; ')}`)
}
