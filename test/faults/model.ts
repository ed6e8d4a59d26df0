import assert from 'node:assert/strict'
import fs, { mkdtempSync, rmSync, statSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import FakeTimers, { type Clock } from '@sinonjs/fake-timers'
import fc from 'fast-check'
import { ExportError } from '../../src/errors.js'
import { BatchProcessor } from '../../src/recording/batch-processor.js'
import { MemoryExporter } from '../../src/recording/memory-exporter.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import type { UsageRecord } from '../../src/usage/usage-record.js'
import { closeFilesIn, createProcesses, segmentsIn } from '../recording/spool/spool-setup.js'
import { leaveSegment } from './left-segments.js'
import { silent } from './spool-rig.js'

/** What a write does from now on: it takes `ms`, may have stored its rows, and may fail: both is a connection that is cut. */
type Weather = { readonly ms: number; readonly isStored: boolean; readonly isFailing: boolean }

/** One thing that happens. `sweep`: another process has left rows, and its segment is found. A crash is followed by a restart. */
type Step =
  | { readonly do: 'log'; readonly rows: number; readonly isTurnEnded: boolean }
  | { readonly do: 'flush' | 'crash' | 'sweep' }
  | { readonly do: 'close'; readonly timeoutMs: number }
  | { readonly do: 'weather'; readonly weather: Weather }
  | { readonly do: 'disk'; readonly isFull: boolean }
  | { readonly do: 'wait'; readonly ms: number }

/** What the model says of a row: it must arrive; it may be lost if that is counted; nothing, since a crash took it. */
type Fate = 'kept' | 'counted' | 'open'

const fairWeather: Weather = { ms: 0, isStored: true, isFailing: false }
const sweepMs = 31_000
// A try that hangs, the longest pause after it, and two sweeps.
const longEnoughForAll = 150_000
// A disk that failed is left alone for 30 s, and is then tried every 10 s.
const diskTrustedAfterMs = 41_000
const settings = { batchSize: 10, maxBatchSize: 300, flushIntervalMs: 5000, maxMemoryMb: 1 }
const spoolBytes = 2 * 1024 * 1024
const segmentBytes = 300 * 1024
// A row takes less than this on disk: where there is room for all, all are there.
const rowBytes = 400

const rowCount = fc.oneof(fc.integer({ min: 1, max: 25 }), fc.constantFrom(200, 900))
const weather = fc.record({
  ms: fc.constantFrom(0, 0, 1, 700, 20_000),
  isStored: fc.boolean(),
  isFailing: fc.boolean(),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('log' as const), rows: rowCount, isTurnEnded: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('flush' as const, 'crash' as const, 'sweep' as const) }) },
  fc.record({ do: fc.constant('close' as const), timeoutMs: fc.constantFrom(0, 300, 25_000) }),
  fc.record({ do: fc.constant('weather' as const), weather }),
  fc.record({ do: fc.constant('disk' as const), isFull: fc.boolean() }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 400, 5000, 10_000, sweepMs, 120_000) }),
)

/** Lets anything happen, so many times; rejects with the shortest list of steps after which the model was right and the code was not. */
export async function checkModel(runs: number, seed: number, onRun: () => void): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const world = new World()
      try {
        for (const next of steps) await world.take(next)
        await world.settle()
      } finally {
        world.remove()
        onRun()
      }
    }),
    { numRuns: runs, seed },
  )
}

/** One store, one directory, one process after the other, and what must have become of each row. */
class World {
  readonly #root = mkdtempSync(join(tmpdir(), 'tokenledger-model-'))
  readonly #directory = join(this.#root, 'spool')
  readonly #disk = new Disk()
  readonly #clock = install()
  readonly #store = new Store()
  readonly #processes = createProcesses()
  readonly #fates = new Map<string, Fate>()
  /** Of the present process: logged in a turn that has not ended. */
  #unfinished: string[] = []
  /** Of the present process: perhaps not on disk. */
  #exposed: string[] = []
  #msSinceDiskFailed = Number.POSITIVE_INFINITY
  #drops = 0
  #count = 0
  #liveness = this.#processes.start()
  #processor = this.#start()

  async take(next: Step): Promise<void> {
    if (next.do === 'log') await this.#log(next.rows, next.isTurnEnded)
    if (next.do === 'weather') this.#store.weather = next.weather
    if (next.do === 'wait') await this.#wait(next.ms)
    if (next.do === 'flush') void this.#processor.flush()
    if (next.do === 'disk') this.#setDisk(next.isFull)
    if (next.do === 'sweep') await this.#sweep()
    if (next.do === 'crash') this.#crash()
    if (next.do === 'close') await this.#close(next.timeoutMs)
    this.#check()
  }

  /** Everything works from now on: what was not counted as lost arrives, and nothing stays behind. */
  async settle(): Promise<void> {
    this.#store.weather = fairWeather
    this.#setDisk(false)
    await this.#wait(longEnoughForAll)
    this.#check()
    const missing = (fate: Fate) => [...this.#fates].filter(([id, is]) => is === fate && !this.#store.rows.has(id))
    const { pending, spooled, dropped } = this.#processor.stats()

    assert.deepEqual(missing('kept'), [], 'rows are lost')
    assert.ok(missing('counted').length <= this.#drops + dropped, 'rows are lost and not counted')
    assert.deepEqual([pending, spooled], [0, 0], 'rows wait for nothing')
    assert.deepEqual(segmentsIn(this.#directory), [], 'segments are left behind')
  }

  remove(): void {
    this.#disk.restore()
    this.#clock.uninstall()
    syncBuiltinESMExports()
    closeFilesIn(this.#root)
    rmSync(this.#root, { recursive: true, force: true })
  }

  // What holds at every moment.
  #check(): void {
    const { accepted, written, pending, spooled, deadLettered, dropped } = this.#processor.stats()
    assert.equal(written + pending + spooled + deadLettered + dropped, accepted, 'the counts do not add up')
    assert.deepEqual(this.#store.problems, [])
    assert.ok(this.#bytesOnDisk <= spoolBytes + segmentBytes, 'the spool is larger than it may be')
  }

  get #bytesOnDisk(): number {
    const sizes = segmentsIn(this.#directory).map((name) => statSync(join(this.#directory, name)).size)
    return sizes.reduce((sum, size) => sum + size, 0)
  }

  #start(): BatchProcessor {
    const liveness = this.#liveness
    const spool = { directory: this.#directory, maxMb: spoolBytes / 1024 / 1024, liveness }
    const connection = new Connection(this.#store, () => liveness === this.#liveness)
    return new BatchProcessor({ ...settings, spool }, connection, silent)
  }

  async #log(rows: number, isTurnEnded: boolean): Promise<void> {
    for (let row = 0; row < rows; row++) {
      const responseId = `row ${this.#count++}`
      const entry = { modelName: 'm', responseId, inputTokens: 1, outputTokens: 1 }
      this.#processor.push(draftRecord(entry, {}, Date.now()))
      this.#unfinished.push(responseId)
    }
    if (isTurnEnded) await this.#wait(0)
  }

  async #wait(ms: number): Promise<void> {
    await this.#clock.tickAsync(ms)
    this.#msSinceDiskFailed += ms
    this.#exposed.push(...this.#unfinished.splice(0))
    const hasRoom = this.#bytesOnDisk + this.#exposed.length * rowBytes < spoolBytes
    if (this.#disk.isFull || !hasRoom) this.#msSinceDiskFailed = 0
    // Without the disk some may have found no room in memory.
    if (this.#msSinceDiskFailed === Number.POSITIVE_INFINITY) this.#decide('kept')
    if (this.#msSinceDiskFailed < diskTrustedAfterMs) return
    this.#decide('counted')
    this.#msSinceDiskFailed = Number.POSITIVE_INFINITY
  }

  #decide(fate: Fate): void {
    for (const id of this.#exposed.splice(0)) this.#fates.set(id, fate)
  }

  #setDisk(isFull: boolean): void {
    this.#disk.isFull = isFull
    if (isFull) this.#msSinceDiskFailed = 0
  }

  async #sweep(): Promise<void> {
    const ids = Array.from({ length: 5 }, () => `row ${this.#count++}`)
    const owner = { bootId: 'test', pidNamespace: '1', pid: 1_000_000, startedAt: '1' }
    this.#disk.regardless(() => leaveSegment(this.#directory, ids, owner))
    for (const id of ids) this.#fates.set(id, 'kept')
    await this.#wait(sweepMs)
  }

  #crash(): void {
    this.#clock.reset()
    closeFilesIn(this.#root)
    this.#drops += this.#processor.stats().dropped
    this.#unfinished = []
    this.#decide('open')
    this.#restart()
  }

  async #close(timeoutMs: number): Promise<void> {
    const processor = this.#processor
    let isClosed = false
    const closing = Promise.all([processor.close(timeoutMs), processor.flush(), processor.close()]).then(() => {
      isClosed = true
    })
    await this.#wait(timeoutMs + 250)
    assert.ok(isClosed, 'it does not close in time')
    await closing
    this.#decide('counted')
    const { pending, dropped, spooled, written, accepted } = processor.stats()
    assert.deepEqual([pending, written + spooled + dropped], [0, accepted])
    this.#drops += dropped
    this.#restart()
  }

  #restart(): void {
    this.#processes.become(this.#liveness, 'ended')
    this.#liveness = this.#processes.start()
    this.#processor = this.#start()
  }
}

/** The rows that are stored, and what a store must never see. */
class Store {
  weather = fairWeather
  readonly rows = new Map<string, UsageRecord>()
  readonly problems: string[] = []
  readonly #sent = new Map<string, string>()

  async take(records: readonly UsageRecord[]): Promise<void> {
    for (const record of records) this.#compare(record)
    const { ms, isStored, isFailing } = this.weather
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
    if (isStored || !isFailing) for (const record of records) this.rows.set(record.responseId ?? '', record)
    if (isFailing) throw new ExportError('passing', 'TEST', 'as told')
  }

  // Each try sends the same id and time; then a unique index is all it takes to store a row once.
  #compare({ responseId, eventId, timestamp }: UsageRecord): void {
    const id = responseId ?? ''
    const sent = `${eventId} ${timestamp}`
    if ((this.#sent.get(id) ?? sent) !== sent) this.problems.push(`${id} is sent with another id or time`)
    this.#sent.set(id, sent)
  }
}

/** One process's way to the store. After a crash nothing goes there, and no answer comes back. */
class Connection extends MemoryExporter {
  readonly #store: Store
  readonly #isAlive: () => boolean
  #isWriting = false

  constructor(store: Store, isAlive: () => boolean) {
    super()
    this.#store = store
    this.#isAlive = isAlive
  }

  override async export(records: readonly UsageRecord[]): Promise<void> {
    if (!this.#isAlive()) return new Promise(() => {})
    if (this.#isWriting) this.#store.problems.push('two writes at the same time')
    this.#isWriting = true
    try {
      await this.#store.take(records)
    } finally {
      this.#isWriting = false
    }
  }
}

/** The disk of all segments: full, when it is told to be. */
class Disk {
  isFull = false
  readonly #writeSync = fs.writeSync

  constructor() {
    fs.writeSync = ((...written: Parameters<typeof fs.writeSync>) => {
      if (this.isFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      return this.#writeSync(...written)
    }) as typeof fs.writeSync
  }

  regardless(work: () => void): void {
    const { isFull } = this
    this.isFull = false
    work()
    this.isFull = isFull
  }

  restore(): void {
    fs.writeSync = this.#writeSync
  }
}

/** Timers and clocks that stand still until they are told to go on; the disk that was put in place becomes everybody's, too. */
function install(): Clock {
  const clock = FakeTimers.install({
    now: Date.now(),
    toFake: [
      'setTimeout',
      'clearTimeout',
      'setImmediate',
      'clearImmediate',
      'setInterval',
      'clearInterval',
      'performance',
      'Date',
    ],
  })
  syncBuiltinESMExports()
  return clock
}
