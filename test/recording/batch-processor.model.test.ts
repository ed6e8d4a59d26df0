import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ExportError, type ExportErrorKind } from '../../src/errors.js'
import { BatchProcessor } from '../../src/recording/batch-processor.js'
import { MemoryExporter } from '../../src/recording/memory-exporter.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import type { UsageRecord } from '../../src/usage/usage-record.js'

vi.mock('node:timers/promises', () => import('./timers-in-hand.js'))

/** What happens to a write: it takes `ms`, may have stored its rows, and may fail. */
type Fault = { readonly ms: number; readonly isStored: boolean; readonly kind: ExportErrorKind | undefined }
type Step =
  | { readonly do: 'push'; readonly rows: number }
  | { readonly do: 'refuseEntry' | 'flush' }
  | { readonly do: 'fault'; readonly fault: Fault }
  | { readonly do: 'wait'; readonly ms: number }

const longEnoughForAnything = 60 * 60_000

/** A store with the given faults for its next writes, in their order, and none after them. */
class FaultyStore extends MemoryExporter {
  readonly faults: Fault[] = []
  running = 0
  mostRunning = 0
  onCall = () => {}

  override async export(records: readonly UsageRecord[]): Promise<void> {
    await this.#suffer(() => super.export(records))
  }

  override async exportLoss(loss: Parameters<MemoryExporter['exportLoss']>[0]): Promise<void> {
    await this.#suffer(() => super.exportLoss(loss))
  }

  async #suffer(store: () => Promise<void>): Promise<void> {
    const { ms, isStored, kind } = this.faults.shift() ?? { ms: 0, isStored: true, kind: undefined }
    this.onCall()
    this.running += 1
    this.mostRunning = Math.max(this.mostRunning, this.running)
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
    if (isStored || kind === undefined) await store()
    this.onCall()
    this.running -= 1
    if (kind !== undefined) throw new ExportError(kind, 'TEST', 'as told')
  }
}

const fault = fc.record({
  ms: fc.constantFrom(0, 0, 1, 700, 20_000),
  isStored: fc.boolean(),
  kind: fc.constantFrom<ExportErrorKind | undefined>('passing', 'configuration', undefined),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('push' as const), rows: fc.integer({ min: 1, max: 25 }) }),
  fc.record({ do: fc.constantFrom('flush' as const, 'refuseEntry' as const) }),
  fc.record({ do: fc.constant('fault' as const), fault }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 50, 400, 4999, 5000, 61_000) }),
)

function createRun() {
  const store = new FaultyStore()
  const settings = { batchSize: 10, maxBatchSize: 30, flushIntervalMs: 5000, maxMemoryMb: 32 }
  const sums: number[] = []
  const addUp = () => sums.push(differenceOf(processor))
  const processor = new BatchProcessor(settings, store, { info: addUp, warn: addUp, error: addUp })
  store.onCall = addUp
  const pushed: string[] = []
  const take = async (next: Step): Promise<void> => {
    if (next.do === 'flush') void processor.flush()
    if (next.do === 'refuseEntry') processor.refuseEntry()
    if (next.do === 'fault') store.faults.push(next.fault)
    if (next.do === 'wait') await vi.advanceTimersByTimeAsync(next.ms)
    if (next.do !== 'push') return
    for (let row = 0; row < next.rows; row++) {
      pushed.push(`row ${pushed.length}`)
      processor.push(draftRecord({ modelName: pushed.at(-1), inputTokens: 1, outputTokens: 1 }, {}, Date.now()))
    }
  }
  return { store, processor, pushed, take, sums }
}

/** Zero at every moment, inside the store and inside the log as well. */
function differenceOf(processor: BatchProcessor): number {
  const { accepted, written, pending, deadLettered, dropped } = processor.stats()
  return accepted - written - pending - deadLettered - dropped
}

describe('whatever happens', () => {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'],
    })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('writes every row once, one write at a time, as soon as the store works and time passes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { store, processor, pushed, take, sums } = createRun()

        for (const next of steps) {
          await take(next)
          sums.push(differenceOf(processor))
        }
        store.faults.length = 0
        await vi.advanceTimersByTimeAsync(longEnoughForAnything)

        expect(processor.stats()).toMatchObject({ written: pushed.length, pending: 0, isFailing: false })
        expect(store.records.map(({ modelName }) => modelName)).toEqual(pushed)
        expect(store.losses.reduce((sum, { records }) => sum + records, 0)).toBe(processor.stats().dropped)
        expect(store.mostRunning).toBeLessThanOrEqual(1)
        expect(sums.filter((difference) => difference !== 0)).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('closes in time, and has written or counted every row by then', async () => {
    const timeouts = fc.constantFrom(0, 1, 3000, 25_000)

    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), timeouts, async (steps, timeoutMs) => {
        const { store, processor, pushed, take, sums } = createRun()
        for (const next of steps) await take(next)

        let isClosed = false
        const closing = processor.close(timeoutMs).then(() => (isClosed = true))
        await take({ do: 'push', rows: 3 })
        const flushing = processor.flush()
        await vi.advanceTimersByTimeAsync(timeoutMs + 250)
        const closedInTime = isClosed
        await Promise.all([closing, flushing, processor.flush()])

        const { written, dropped, pending, accepted } = processor.stats()
        expect(closedInTime).toBe(true)
        expect(pending).toBe(0)
        expect(written + dropped).toBe(accepted)
        expect(store.records.length).toBeGreaterThanOrEqual(written)
        expect(store.records.length).toBeLessThanOrEqual(pushed.length)
        expect(store.mostRunning).toBeLessThanOrEqual(1)
        expect(sums.filter((difference) => difference !== 0)).toEqual([])
      }),
      { numRuns: 200 },
    )
  })
})
