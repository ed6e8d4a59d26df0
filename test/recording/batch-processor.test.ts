import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ExportError, type ExportErrorKind } from '../../src/errors.js'
import { BatchProcessor, type BatchProcessorSettings } from '../../src/recording/batch-processor.js'
import type { UsageLoss } from '../../src/recording/exporter.js'
import { MemoryExporter } from '../../src/recording/memory-exporter.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import type { UsageRecord } from '../../src/usage/usage-record.js'

const settings: BatchProcessorSettings = { batchSize: 10, maxBatchSize: 5000, flushIntervalMs: 5000, maxMemoryMb: 32 }
const tenYearsMs = 315_360_000_000
const lines: { level: string; message: string }[] = []
const keepLine = (level: string) => (_fields: object, message: string) => lines.push({ level, message })
const diagnostics = { info: keepLine('info'), warn: keepLine('warn'), error: keepLine('error') }

/** The memory exporter with faults: what it does at each write is decided by `onExport`. */
class FaultyExporter extends MemoryExporter {
  readonly batches: string[][] = []
  running = 0
  mostRunning = 0
  onExport: (records: readonly UsageRecord[]) => Promise<void> | void = () => {}
  onDeadLetter: () => void = () => {}
  onLoss: () => void = () => {}

  override async export(records: readonly UsageRecord[]): Promise<void> {
    this.batches.push(records.map((record) => record.modelName))
    this.running += 1
    this.mostRunning = Math.max(this.mostRunning, this.running)
    try {
      await this.onExport(records)
      await super.export(records)
    } finally {
      this.running -= 1
    }
  }

  override async exportDeadLetter(record: UsageRecord): Promise<void> {
    this.onDeadLetter()
    await super.exportDeadLetter(record)
  }

  override async exportLoss(loss: UsageLoss): Promise<void> {
    this.onLoss()
    await super.exportLoss(loss)
  }
}

const failure = (kind: ExportErrorKind) => new ExportError(kind, 'TEST', 'the test says so (TEST)')
const draft = (modelName = 'm') => draftRecord({ modelName, inputTokens: 2, outputTokens: 3 }, {}, Date.now())

function setUp(overrides: Partial<BatchProcessorSettings> = {}) {
  const exporter = new FaultyExporter()
  const processor = new BatchProcessor({ ...settings, ...overrides }, exporter, diagnostics)
  const push = (count: number, modelName?: string) => {
    for (let index = 0; index < count; index++) processor.push(draft(modelName))
  }
  return { exporter, processor, push }
}

function expectBalanced(processor: BatchProcessor): void {
  const { accepted, written, pending, deadLettered, dropped } = processor.stats()
  expect(written + pending + deadLettered + dropped).toBe(accepted)
}

beforeEach(() => {
  lines.length = 0
})

describe('when rows are written', () => {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'],
    })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('writes the moment the batch size is reached, but never inside the call that reaches it', async () => {
    const { exporter, push } = setUp()

    push(10)
    const during = exporter.batches.length
    await vi.advanceTimersByTimeAsync(0)

    expect(during).toBe(0)
    expect(exporter.batches.map((batch) => batch.length)).toEqual([10])
  })

  it('writes everything pending when the interval has passed, not a batch of it', async () => {
    const { exporter, processor, push } = setUp({ batchSize: 1000 })

    push(47)
    await vi.advanceTimersByTimeAsync(4999)
    const before = exporter.batches.length
    await vi.advanceTimersByTimeAsync(1)

    expect(before).toBe(0)
    expect(exporter.batches.map((batch) => batch.length)).toEqual([47])
    expect(processor.stats()).toMatchObject({ written: 47, pending: 0 })
  })

  it('makes the rows of the next batch while the store works on one', async () => {
    const { exporter, processor, push } = setUp({ batchSize: 1, maxBatchSize: 10 })
    const acknowledgements: (() => void)[] = []
    exporter.onExport = () => new Promise((resolve) => acknowledgements.push(resolve))

    push(130)
    for (let turn = 0; turn < 20; turn++) await vi.advanceTimersByTimeAsync(1)
    vi.setSystemTime(Date.now() + tenYearsMs)
    const wasWorking = acknowledgements.length
    exporter.onExport = () => {}
    acknowledgements[0]?.()
    await processor.flush()

    expect(wasWorking).toBe(1)
    const made = exporter.records.map(({ eventId }) => Number.parseInt(eventId.replace('-', '').slice(0, 12), 16))
    expect(made).toHaveLength(130)
    expect((made.at(-1) ?? 0) - (made[0] ?? 0)).toBeLessThan(tenYearsMs / 2)
  })

  it('asks nothing of the store while nothing is pending', async () => {
    const { exporter, push } = setUp()

    push(3)
    await vi.advanceTimersByTimeAsync(3_600_000)

    expect(exporter.batches).toHaveLength(1)
  })

  it('keeps one write at a time, and sends what piled up meanwhile together', async () => {
    const { exporter, push } = setUp({ maxBatchSize: 500 })
    exporter.onExport = () => sleepFake(800)

    push(10)
    await vi.advanceTimersByTimeAsync(1)
    push(1990)
    await vi.advanceTimersByTimeAsync(60_000)

    expect(exporter.mostRunning).toBe(1)
    expect(exporter.batches.map((batch) => batch.length)).toEqual([10, 500, 500, 500, 490])
  })

  it('waits longer and longer between tries while the store fails, and loses nothing', async () => {
    const { exporter, processor, push } = setUp()
    exporter.onExport = () => Promise.reject(failure('passing'))

    push(25)
    await vi.advanceTimersByTimeAsync(4 * 3_600_000)
    const tries = exporter.batches.length
    exporter.onExport = () => {}
    await vi.advanceTimersByTimeAsync(40_000)

    expect(tries).toBeGreaterThan(4 * 120)
    expect(tries).toBeLessThan(4 * 300 + 20)
    expect(exporter.records).toHaveLength(25)
    expect(lines.at(-1)?.message).toContain('nothing was lost')
    expectBalanced(processor)
  })

  it('does not try more often because more rows come while the store fails', async () => {
    const { exporter, push } = setUp()
    exporter.onExport = () => Promise.reject(failure('configuration'))

    for (let second = 0; second < 59; second++) {
      push(100)
      await vi.advanceTimersByTimeAsync(1000)
    }

    expect(exporter.batches).toHaveLength(1)
  })

  it('writes one line a minute while the store fails', async () => {
    const { exporter, push } = setUp()
    exporter.onExport = () => Promise.reject(failure('passing'))

    push(10)
    await vi.advanceTimersByTimeAsync(10 * 60_000)

    expect(lines.length).toBeGreaterThan(3)
    expect(lines.length).toBeLessThanOrEqual(11)
    expect(lines[0]?.message).toBe(
      'memory takes no usage rows: the test says so (TEST). 10 usage rows are kept in memory (0.0 of 32 MB) and will be written; ' +
        (lines[0]?.message.split('; ').at(-1) ?? ''),
    )
  })

  it('sends the same rows with the same ids again after an outcome it does not know', async () => {
    const { exporter, push } = setUp()
    const ids: string[][] = []
    exporter.onExport = async (records) => {
      ids.push(records.map((record) => record.eventId))
      if (ids.length > 1) return
      await MemoryExporter.prototype.export.call(exporter, records)
      throw failure('passing')
    }

    push(10)
    await vi.advanceTimersByTimeAsync(5000)

    expect(ids[1]).toEqual(ids[0])
    expect(exporter.records).toHaveLength(10)
  })

  it('does not wait longer and longer where the store takes some rows each time', async () => {
    const { exporter, push } = setUp({ batchSize: 10, maxBatchSize: 10 })
    exporter.onExport = () => (exporter.batches.length % 2 === 0 ? Promise.reject(failure('passing')) : undefined)

    push(600)
    await vi.advanceTimersByTimeAsync(60_000)

    expect(exporter.records).toHaveLength(600)
  })

  it('takes smaller batches after a failure, and larger ones again after that', async () => {
    const { exporter, push } = setUp({ batchSize: 100, maxBatchSize: 400 })
    let failures = 2
    exporter.onExport = () => (failures-- > 0 ? Promise.reject(failure('passing')) : undefined)

    push(700)
    await vi.advanceTimersByTimeAsync(5000)

    expect(exporter.batches.map((batch) => batch.length)).toEqual([400, 200, 100, 200, 400])
  })
})

describe('rows that the store refuses', () => {
  const refuseBad = (records: readonly UsageRecord[]) =>
    records.some((record) => record.modelName === 'bad') ? Promise.reject(failure('data')) : undefined

  // Looking for them is left off after a second, in which a machine may stand still.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
  afterEach(() => void vi.useRealTimers())

  it('keeps the refused row as a dead letter and writes all others, in their order', async () => {
    const { exporter, processor, push } = setUp()
    exporter.onExport = refuseBad

    push(13, 'good')
    push(1, 'bad')
    push(20, 'good')
    await processor.flush()

    expect(exporter.records).toHaveLength(33)
    expect(exporter.deadLetters).toHaveLength(1)
    expect(processor.stats()).toMatchObject({ written: 33, deadLettered: 1, pending: 0, isFailing: false })
    expect(exporter.batches.length).toBeLessThan(14)
  })

  it('gets past a batch of nothing but refused rows', async () => {
    const { exporter, processor, push } = setUp()
    exporter.onExport = refuseBad

    push(50, 'bad')
    push(1, 'good')
    await processor.flush()

    expect(processor.stats()).toMatchObject({ written: 1, deadLettered: 50, pending: 0 })
  })

  it('keeps the rest when the connection breaks while it looks for the refused row', async () => {
    const { exporter, processor, push } = setUp()
    let writes = 0
    exporter.onExport = (records) => (++writes === 4 ? Promise.reject(failure('passing')) : refuseBad(records))

    push(20, 'good')
    push(1, 'bad')
    await processor.flush()
    const between = processor.stats()
    await processor.flush()

    expect(between.pending).toBeGreaterThan(0)
    expect(between.isFailing).toBe(true)
    expect(processor.stats()).toMatchObject({ written: 20, deadLettered: 1, pending: 0 })
    expectBalanced(processor)
  })

  it('leaves a batch of many refused rows after a second for the rows behind it, and ends with each dead letter once', async () => {
    const { exporter, processor, push } = setUp()
    let letters = 0
    exporter.onDeadLetter = () => {
      letters += 1
      vi.advanceTimersByTime(1000)
    }
    let lettersBefore = 0
    exporter.onExport = (records) => {
      if (exporter.batches.length === 1) push(1, 'good')
      if (records.every(({ modelName }) => modelName === 'good')) lettersBefore = letters
      return refuseBad(records)
    }

    push(40, 'bad')
    await processor.flush()

    expect(lettersBefore).toBe(1)
    expect(processor.stats()).toMatchObject({ written: 1, deadLettered: 40, pending: 0 })
    expect([letters, exporter.deadLetters.length]).toEqual([40, 40])
    expectBalanced(processor)
  })

  it('counts a row as lost that not even the dead letters take, and stores that count', async () => {
    const { exporter, processor, push } = setUp()
    exporter.onExport = refuseBad
    exporter.onDeadLetter = () => {
      throw failure('data')
    }

    push(1, 'bad')
    push(1, 'good')
    await processor.flush()

    expect(processor.stats()).toMatchObject({ written: 1, dropped: 1, droppedByReason: { refused: 1 } })
    expect(exporter.losses).toMatchObject([{ reason: 'refused', records: 1, inputTokens: 2, outputTokens: 3 }])
  })
})

describe('the bound of the memory', () => {
  it('drops the newest row, counts it, and stores the count when the store answers again', async () => {
    const { exporter, processor, push } = setUp({ maxMemoryMb: 1 })
    exporter.onExport = () => Promise.reject(failure('passing'))

    push(5000)
    await processor.flush()
    const full = processor.stats()
    exporter.onExport = () => {}
    await processor.flush()

    expect(full.pending).toBeLessThan(2000)
    expect(full.dropped).toBe(5000 - full.pending)
    expect(exporter.records).toHaveLength(full.pending)
    expect(exporter.losses).toMatchObject([
      { reason: 'memory_full', records: full.dropped, inputTokens: 2 * full.dropped },
    ])
    expect(lines.some(({ message }) => message.includes(`${full.dropped} usage rows were lost meanwhile`))).toBe(true)
    expectBalanced(processor)
  })

  it('adds up of the rows it drops the tokens that a row can have', async () => {
    const { exporter, processor } = setUp({ maxMemoryMb: 0 })

    for (const inputTokens of [5, -5, 1.5, Number.NaN, 2 ** 50, undefined]) {
      processor.push(draftRecord({ modelName: 'm', inputTokens, outputTokens: 1 }, {}, Date.now()))
    }
    await processor.flush()

    expect(exporter.losses).toMatchObject([{ reason: 'memory_full', records: 6, inputTokens: 5, outputTokens: 6 }])
  })

  it('stores a count once, although the answer to it was lost', async () => {
    const { exporter, processor } = setUp()
    let answers = 0
    exporter.onLoss = () => {
      if (++answers === 2) throw failure('passing')
    }

    processor.refuseEntry()
    await processor.flush()
    processor.refuseEntry()
    await processor.flush()
    processor.refuseEntry()
    await processor.flush()

    expect(exporter.losses.reduce((sum, loss) => sum + loss.records, 0)).toBe(3)
    expect(processor.stats()).toMatchObject({ accepted: 3, dropped: 3 })
  })

  it('holds at least the rows the bound promises', () => {
    const { processor, push } = setUp({ batchSize: 100_000, maxBatchSize: 100_000 })

    push(20_000, 'gpt-4o-mini')

    expect(processor.stats()).toMatchObject({ pending: 20_000, dropped: 0 })
  })
})

describe('flush and close', () => {
  it('resolves flush when the rows of before are written, however many come after', async () => {
    const { exporter, processor, push } = setUp({ batchSize: 10_000, maxBatchSize: 10 })
    exporter.onExport = () => push(10)

    push(10)
    await processor.flush()

    expect(processor.stats().written).toBe(10)
  })

  it('resolves flush after one failed try, however many wait for it', async () => {
    const { exporter, processor, push } = setUp()
    exporter.onExport = async () => {
      await sleep(5)
      throw failure('passing')
    }

    push(3)
    await Promise.all(Array.from({ length: 50 }, () => processor.flush()))

    expect(exporter.batches).toHaveLength(1)
    expect(processor.stats()).toMatchObject({ pending: 3, isFailing: true })
  })

  it('closes once, whatever is called how often, and writes all batches first', async () => {
    const { exporter, processor, push } = setUp({ maxBatchSize: 100 })
    const close = vi.spyOn(exporter, 'close')
    exporter.onExport = () => sleep(2)

    push(1000)
    await Promise.all([
      processor.close(60_000),
      processor.flush(),
      processor.close(1),
      processor.flush(),
      processor.close(60_000),
    ])

    expect(exporter.records).toHaveLength(1000)
    expect(exporter.mostRunning).toBe(1)
    expect(close).toHaveBeenCalledTimes(1)
  })

  it('keeps trying until the store is back when it closes during an outage', async () => {
    const { exporter, processor, push } = setUp({ maxBatchSize: 100 })
    let failures = 3
    exporter.onExport = () => (failures-- > 0 ? Promise.reject(failure('passing')) : undefined)

    push(1000)
    await processor.close(60_000)

    expect(exporter.records).toHaveLength(1000)
    expect(processor.stats()).toMatchObject({ isClosed: true, pending: 0, dropped: 0 })
  })

  it('gives up at its deadline while a write hangs, counts what is left, and ignores a late answer', async () => {
    const { exporter, processor, push } = setUp()
    let answer = () => {}
    exporter.onExport = () =>
      new Promise<void>((resolve) => {
        answer = resolve
      })

    push(12)
    await processor.close(50)
    answer()
    await sleep(5)
    push(1)

    expect(processor.stats()).toMatchObject({ isClosed: true, accepted: 13, written: 0, pending: 0, dropped: 13 })
    expect(lines.filter(({ message }) => message.includes('12 usage rows'))).toHaveLength(1)
  })

  it('takes rows that come while it closes', async () => {
    const { exporter, processor, push } = setUp()
    exporter.onExport = () => {
      if (exporter.batches.length === 1) push(5)
    }

    push(1)
    await processor.close(60_000)

    expect(exporter.records).toHaveLength(6)
  })
})

function sleepFake(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
