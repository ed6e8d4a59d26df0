import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { ExportError } from '../../src/errors.js'
import { BatchProcessor } from '../../src/recording/batch-processor.js'
import { MemoryExporter } from '../../src/recording/memory-exporter.js'
import { draftRecord } from '../../src/usage/draft-record.js'

const settings = { batchSize: 10, maxBatchSize: 5000, flushIntervalMs: 5000, maxMemoryMb: 32 }
const lines: string[] = []
const keepLine = (_fields: object, message: string) => lines.push(message)
const diagnostics = { info: keepLine, warn: keepLine, error: keepLine }

class SlowExporter extends MemoryExporter {
  waitFor: () => Promise<unknown> = () => sleep(20)

  override async export(...[records]: Parameters<MemoryExporter['export']>): Promise<void> {
    await this.waitFor()
    await super.export(records)
  }
}

function setUp(exporter = new SlowExporter()) {
  const processor = new BatchProcessor(settings, exporter, diagnostics)
  const push = (count: number) => {
    for (let row = 0; row < count; row++) {
      processor.push(draftRecord({ modelName: 'm', inputTokens: 1, outputTokens: 1 }, {}, Date.now()))
    }
  }
  return { exporter, processor, push }
}

const forEver = () => new Promise<void>(() => {})

beforeEach(() => {
  lines.length = 0
})

describe('closing', () => {
  it.each([[undefined], [Number.POSITIVE_INFINITY], [Number.NaN], [2 ** 40], ['5000'], [null]])(
    'writes what is pending with a time limit of %s',
    async (timeoutMs) => {
      const { exporter, processor, push } = setUp()

      push(25)
      await processor.close(timeoutMs as never)

      expect(exporter.records).toHaveLength(25)
      expect(processor.stats()).toMatchObject({ written: 25, dropped: 0, pending: 0 })
    },
  )

  it.each([0, -1, Number.NEGATIVE_INFINITY])(
    'does not wait with a time limit of %s, and counts what is lost',
    async (timeoutMs) => {
      const { exporter, processor, push } = setUp()
      exporter.waitFor = forEver

      push(3)
      await processor.close(timeoutMs)

      expect(processor.stats()).toMatchObject({ accepted: 3, pending: 0, dropped: 3, droppedByReason: { closed: 3 } })
    },
  )

  it('sets everybody free who waits for a store that hangs', async () => {
    const { exporter, processor, push } = setUp()
    exporter.waitFor = forEver

    push(3)
    const before = [processor.flush(), processor.flush()]
    const closing = processor.close(20)
    const during = processor.flush()
    await Promise.all([...before, during, closing, processor.close(20)])
    await processor.flush()

    expect(processor.stats()).toMatchObject({ isClosed: true, pending: 0, dropped: 3 })
  })

  it.each<[string, () => Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['returns nothing', () => undefined as never],
    ['hangs', forEver],
  ])('ends although the exporter %s when it is closed', async (_, close) => {
    const { exporter, processor, push } = setUp()
    exporter.close = close

    push(1)
    await processor.close(1000)

    expect(processor.stats()).toMatchObject({ isClosed: true, written: 1 })
  })

  it('says no more of the store once it has said what was lost', async () => {
    const { exporter, processor, push } = setUp()
    let succeed = () => {}
    exporter.waitFor = () => Promise.reject(new ExportError('passing', 'TEST', 'as told'))
    push(2)
    await processor.flush()
    exporter.waitFor = () => new Promise<void>((resolve) => (succeed = resolve))

    await processor.close(20)
    succeed()
    await sleep(5)

    expect(lines.at(-1)).toBe('closed before memory took 2 usage rows: they are lost')
    expect(processor.stats()).toMatchObject({ written: 0, dropped: 2 })
  })

  it('counts what comes after it, and says so once', async () => {
    const { processor, push } = setUp()

    await processor.close()
    push(3)

    expect(processor.stats()).toMatchObject({ accepted: 3, dropped: 3, droppedByReason: { closed: 3 } })
    expect(lines).toEqual(['a usage row was lost: it came after close(). 1 was lost so far, and that count is kept'])
  })
})

describe('without a store', () => {
  const missing = new ExportError('configuration', 'TEST', 'no store is set')

  it('keeps rows, says so in one line, and never claims to have written anything', async () => {
    const { exporter, processor, push } = setUp()
    processor.reportMissingStore(missing)

    await processor.flush()
    push(25)
    await processor.flush()

    expect(lines).toEqual([
      'no usage rows are written: no store is set. Rows are kept in memory, up to 32 MB, and are lost when this process ends',
    ])
    expect(processor.stats()).toMatchObject({ isFailing: true, pending: 25, written: 0, lastError: { reason: 'TEST' } })
    expect(exporter.records).toEqual([])
  })

  it('does not wait for one when it closes', async () => {
    const { processor, push } = setUp()
    processor.reportMissingStore(missing)

    push(2)
    await processor.close()

    expect(processor.stats()).toMatchObject({ isClosed: true, dropped: 2, pending: 0 })
  })
})
