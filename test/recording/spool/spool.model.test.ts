import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ExportError } from '../../../src/errors.js'
import { BatchProcessor } from '../../../src/recording/batch-processor.js'
import { MemoryExporter } from '../../../src/recording/memory-exporter.js'
import type { Liveness } from '../../../src/recording/spool/owner.js'
import { draftRecord } from '../../../src/usage/draft-record.js'
import type { UsageRecord } from '../../../src/usage/usage-record.js'
import { closeFilesIn, createProcesses, expectBalanced, segmentsIn } from './spool-setup.js'

// The promise of a pause is made of the timers that the tests hold in their hands.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown, { signal }: { signal?: AbortSignal } = {}) =>
    new Promise((resolve, reject) => {
      const abort = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort)
        resolve(value)
      }, ms)
      signal?.addEventListener('abort', abort)
    }),
}))

/** What a write does from now on: it takes `ms`, may have stored its rows, and may fail. */
type Weather = { readonly ms: number; readonly isStored: boolean; readonly isFailing: boolean }
type Step =
  | { readonly do: 'log'; readonly rows: number; readonly isTurnEnded: boolean }
  | { readonly do: 'weather'; readonly weather: Weather }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'flush' | 'crash' }
  | { readonly do: 'close'; readonly timeoutMs: number }

const fairWeather: Weather = { ms: 0, isStored: true, isFailing: false }
const longEnoughForAnything = 60 * 60_000
const runs = Number(process.env.SPOOL_MODEL_RUNS ?? 200)
const silent = { info: () => {}, warn: () => {}, error: () => {} }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('log' as const), rows: rowCount(), isTurnEnded: fc.boolean() }) },
  fc.record({ do: fc.constantFrom('flush' as const, 'crash' as const) }),
  fc.record({ do: fc.constant('close' as const), timeoutMs: fc.constantFrom(0, 300, 25_000) }),
  fc.record({ do: fc.constant('weather' as const), weather: weather() }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 400, 5000, 10_000, 31_000, 700_000) }),
)

/** One store, one directory, and one process after the other. */
class World {
  readonly directory = join(mkdtempSync(join(tmpdir(), 'tokenledger-model-')), 'spool')
  readonly store = new MemoryExporter()
  /** Rows whose turn had ended: none of them may be lost. */
  readonly kept: string[] = []
  weather = fairWeather
  processor: BatchProcessor
  readonly #processes = createProcesses()
  #liveness: Liveness
  #unfinished: string[] = []
  #count = 0

  constructor() {
    this.#liveness = this.#processes.start()
    this.processor = this.#start()
  }

  async take(next: Step): Promise<void> {
    if (next.do === 'log') await this.#log(next.rows, next.isTurnEnded)
    if (next.do === 'weather') this.weather = next.weather
    if (next.do === 'wait') await this.#wait(next.ms)
    if (next.do === 'flush') void this.processor.flush()
    if (next.do === 'crash') this.#crash()
    if (next.do === 'close') await this.#close(next.timeoutMs)
  }

  async settle(): Promise<void> {
    this.weather = fairWeather
    await this.#wait(longEnoughForAnything)
  }

  remove(): void {
    vi.clearAllTimers()
    closeFilesIn(this.directory)
    rmSync(join(this.directory, '..'), { recursive: true, force: true })
  }

  async #log(rows: number, isTurnEnded: boolean): Promise<void> {
    for (let row = 0; row < rows; row++) {
      const modelName = `row ${this.#count++}`
      this.processor.push(draftRecord({ modelName, inputTokens: 1, outputTokens: 1 }, {}, Date.now()))
      this.#unfinished.push(modelName)
    }
    if (isTurnEnded) await this.#wait(0)
  }

  async #wait(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms)
    this.kept.push(...this.#unfinished.splice(0))
  }

  #crash(): void {
    vi.clearAllTimers()
    closeFilesIn(this.directory)
    this.#unfinished = []
    this.#restart()
  }

  async #close(timeoutMs: number): Promise<void> {
    const closing = this.processor.close(timeoutMs)
    await this.#wait(timeoutMs + 250)
    await closing
    const { pending, dropped, written, spooled, accepted } = this.processor.stats()
    expect([pending, dropped, written + spooled]).toEqual([0, 0, accepted])
    this.#restart()
  }

  #restart(): void {
    this.#processes.become(this.#liveness, 'ended')
    this.#liveness = this.#processes.start()
    this.processor = this.#start()
  }

  #start(): BatchProcessor {
    const settings = { batchSize: 10, maxBatchSize: 300, flushIntervalMs: 5000, maxMemoryMb: 1 }
    const spool = { directory: this.directory, maxMb: 512, liveness: this.#liveness }
    return new BatchProcessor({ ...settings, spool }, new Connection(this, this.#liveness), silent)
  }

  isCurrent(liveness: Liveness): boolean {
    return liveness === this.#liveness
  }
}

/** One process's way to the store. After a crash nothing goes there, and no answer comes back. */
class Connection extends MemoryExporter {
  readonly #world: World
  readonly #liveness: Liveness

  constructor(world: World, liveness: Liveness) {
    super()
    this.#world = world
    this.#liveness = liveness
  }

  override async export(records: readonly UsageRecord[]): Promise<void> {
    const { ms, isStored, isFailing } = this.#world.weather
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
    if (!this.#world.isCurrent(this.#liveness)) return new Promise(() => {})
    if (isStored || !isFailing) await this.#world.store.export(records)
    if (isFailing) throw new ExportError('passing', 'TEST', 'as told')
  }
}

beforeEach(() => {
  vi.useFakeTimers({
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
})
afterEach(() => void vi.useRealTimers())

it('loses no row and stores none twice, whatever the store does and however processes end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const world = new World()
      try {
        for (const next of steps) {
          await world.take(next)
          expectBalanced(world.processor)
        }
        await world.settle()
        const names = world.store.records.map(({ modelName }) => modelName)

        expect(world.kept.filter((name) => !new Set(names).has(name))).toEqual([])
        expect(new Set(names).size).toBe(names.length)
        expect(world.processor.stats()).toMatchObject({ pending: 0, spooled: 0, dropped: 0 })
        expect(segmentsIn(world.directory)).toEqual([])
      } finally {
        world.remove()
      }
    }),
    { numRuns: runs },
  )
}, 600_000)

function weather(): fc.Arbitrary<Weather> {
  return fc.record({ ms: fc.constantFrom(0, 0, 1, 700, 20_000), isStored: fc.boolean(), isFailing: fc.boolean() })
}

function rowCount(): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: 1, max: 25 }), fc.constantFrom(200, 900))
}
