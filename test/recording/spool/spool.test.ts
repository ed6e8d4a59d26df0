import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { ExportError } from '../../../src/errors.js'
import { draftRecord } from '../../../src/usage/draft-record.js'
import {
  createProcesses,
  createTemporaryDirectory,
  endOfTurn,
  expectBalanced,
  numbered,
  readSpool,
  segmentsIn,
  startProcessor,
} from './spool-setup.js'

const timers = ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'Date'] as const
const intervals = ['setInterval', 'clearInterval', 'performance'] as const

// A busy machine is no disk that stalls.
beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

/** Changes a byte in the middle of a segment. */
function damage(path: string): void {
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1)
  writeFileSync(path, bytes)
}

const fail = () => Promise.reject(new ExportError('passing', 'TEST', 'the store is away (TEST)'))

describe('a row that was logged', () => {
  it('is on disk before anything that the application does in the next turn', async () => {
    const { spool } = createTemporaryDirectory()
    const { log } = startProcessor({ directory: spool })

    const seen = new Promise<string[]>((resolve) => {
      log('a', 'b')
      setImmediate(() => resolve(readSpool(spool).names))
      log('c')
    })

    expect(await seen).toEqual(['a', 'b', 'c'])
  })

  it('is written to one file with all others of its turn, which only its owner may read', async () => {
    const { spool } = createTemporaryDirectory()
    const { log } = startProcessor({ directory: spool, batchSize: 1000 })

    log(...numbered(300))
    await endOfTurn()

    expect(readSpool(spool)).toEqual({ names: numbered(300), segments: 1 })
    expect(statSync(spool).mode & 0o777).toBe(0o700)
    expect(statSync(join(spool, segmentsIn(spool)[0] ?? '')).mode & 0o777).toBe(0o600)
  })

  it('leaves nothing on disk once it is written', async () => {
    const { spool } = createTemporaryDirectory()
    const { log, processor } = startProcessor({ directory: spool, batchSize: 5000 })

    log(...numbered(2000))
    await endOfTurn()
    const before = readSpool(spool)
    await processor.flush()

    expect(before.names).toHaveLength(2000)
    expect(before.segments).toBeGreaterThan(1)
    expect(segmentsIn(spool)).toEqual([])
    expect(processor.stats()).toMatchObject({ written: 2000, spooled: 0 })
  })

  it('keeps its segment until the last one in it is written, with the same ids in both', async () => {
    const { spool } = createTemporaryDirectory()
    const { log, processor, exporter } = startProcessor({ directory: spool, maxBatchSize: 3 })
    exporter.onExport = () => (exporter.batches.length > 1 ? fail() : undefined)

    log(...numbered(5))
    await endOfTurn()
    const bytes = readFileSync(join(spool, segmentsIn(spool)[0] ?? ''), 'latin1')
    await processor.flush()

    expect(processor.stats()).toMatchObject({ written: 3, pending: 2 })
    expect(segmentsIn(spool)).toHaveLength(1)
    expect(exporter.records.every(({ eventId }) => bytes.includes(eventId))).toBe(true)
  })

  it('costs neither a timer nor a task where no directory is set', async () => {
    const set = [vi.spyOn(globalThis, 'setInterval'), vi.spyOn(globalThis, 'setImmediate')]
    const { log, processor } = startProcessor({ directory: undefined })

    log('a', 'b')
    const calls = set.map((spy) => spy.mock.calls.length)
    for (const spy of set) spy.mockRestore()
    await processor.flush()

    expect(calls).toEqual([0, 0])
  })
})

describe('at the end of the process', () => {
  it('leaves what the store did not take to the next start, which writes it', async () => {
    const { spool } = createTemporaryDirectory()
    const first = startProcessor({ directory: spool })
    first.exporter.onExport = fail

    first.log(...numbered(700))
    await first.processor.close(20)
    first.log('late')
    const second = startProcessor({ directory: spool })
    await expect.poll(() => second.exporter.records).toHaveLength(700)

    expect(first.lines).toContain('closed before memory took 700 usage rows: they wait in the spool for the next start')
    expect(first.processor.stats()).toMatchObject({ accepted: 701, pending: 0, spooled: 700, dropped: 1 })
    expect(second.exporter.names).toEqual(numbered(700))
    await expect.poll(() => second.processor.stats()).toMatchObject({ recovered: 700, written: 700, spooled: 0 })
    expect(segmentsIn(spool)).toEqual([])
    expectBalanced(first.processor)
    expectBalanced(second.processor)
  })

  it('writes the rows of an unfinished turn too, and says what is lost where the disk takes nothing', async () => {
    const { spool } = createTemporaryDirectory()
    const good = startProcessor({ directory: spool })
    const { path } = createTemporaryDirectory()
    appendFileSync(join(path, 'spool'), 'a file')
    const bad = startProcessor({ directory: join(path, 'spool') })
    bad.exporter.onExport = fail

    good.log('a', 'b')
    const left = good.processor.end()
    bad.log('c')
    await bad.processor.close(10)

    expect(left).toEqual({ spooled: 2, lost: 0 })
    expect(readSpool(spool).names).toEqual(['a', 'b'])
    expect(bad.processor.stats()).toMatchObject({ dropped: 1, droppedByReason: { closed: 1 }, spooled: 0 })
    expect(bad.lines).toContain('closed before memory took 1 usage rows: they are lost')
  })

  it('keeps rows for a process that has a store, where this one never had any', async () => {
    const { spool } = createTemporaryDirectory()
    const without = startProcessor({ directory: spool })
    without.processor.reportMissingStore(new ExportError('configuration', 'TEST', 'no database is set'))

    without.log('a')
    await without.processor.close()
    const next = startProcessor({ directory: spool })
    await expect.poll(() => next.exporter.names).toEqual(['a'])

    expect(without.lines[0]).toContain('kept in the spool')
    expect(without.processor.stats()).toMatchObject({ spooled: 1, dropped: 0 })
  })
})

describe('rows that find no room in memory', () => {
  it('wait on disk, and are all written, in their order, when the store is back', async () => {
    const { spool } = createTemporaryDirectory()
    const { log, processor, exporter } = startProcessor({ directory: spool, maxMemoryMb: 1 })
    exporter.onExport = fail

    for (let part = 0; part < 10; part++) {
      log(...numbered(500, `part ${part}`))
      await nextTurn()
      expectBalanced(processor)
    }
    await processor.flush()
    const during = processor.stats()
    exporter.onExport = () => expectBalanced(processor)
    await processor.flush()

    expect(during.pending).toBeLessThan(2000)
    expect(during).toMatchObject({ accepted: 5000, dropped: 0, spooled: 5000 - during.pending })
    expect(exporter.names).toEqual(Array.from({ length: 10 }, (_, part) => numbered(500, `part ${part}`)).flat())
    expect(processor.stats()).toMatchObject({ written: 5000, pending: 0, spooled: 0 })
    expect(Math.max(...exporter.batches)).toBeLessThan(2000)
    expect(segmentsIn(spool)).toEqual([])
  })

  it('are dropped and counted when the disk has reached its bound too, and only then', async () => {
    const { spool } = createTemporaryDirectory()
    const { log, processor, exporter, lines } = startProcessor({ directory: spool, maxMemoryMb: 1, maxMb: 1 })
    exporter.onExport = fail

    log(...numbered(6000))
    await endOfTurn()
    const bytes = segmentsIn(spool).reduce((sum, name) => sum + statSync(join(spool, name)).size, 0)
    const full = processor.stats()
    exporter.onExport = () => {}
    await processor.flush()
    await processor.flush()

    expect(bytes).toBeLessThanOrEqual(1024 * 1024 + 1000)
    expect(full.spooled).toBeGreaterThan(1000)
    expect(full.droppedByReason).toEqual({ spool_full: 6000 - full.pending - full.spooled })
    expect(exporter.records).toHaveLength(6000 - full.dropped)
    expect(exporter.losses).toMatchObject([{ reason: 'spool_full', records: full.dropped }])
    expect(lines.some((line) => line.includes('and none in the spool'))).toBe(true)
    expectBalanced(processor)
  })

  it('are kept as dead letters one by one where the store refuses them', async () => {
    const { spool } = createTemporaryDirectory()
    const { log, processor, exporter } = startProcessor({ directory: spool, maxMemoryMb: 1 })
    exporter.onExport = fail
    log(...numbered(2000))
    await processor.flush()
    exporter.onExport = (records) => {
      if (records.some(({ modelName }) => modelName === 'row 1990')) {
        throw new ExportError('data', '22021', 'a value does not fit (22021)')
      }
    }

    await processor.flush()

    expect(processor.stats()).toMatchObject({ written: 1999, deadLettered: 1, spooled: 0, pending: 0 })
    expect(exporter.deadLetters).toMatchObject([{ modelName: 'row 1990' }])
  })

  it('are not written twice when the store fails in the middle of a segment', async () => {
    const { spool } = createTemporaryDirectory()
    const { log, processor, exporter } = startProcessor({ directory: spool, maxMemoryMb: 1, maxBatchSize: 100 })
    exporter.onExport = fail
    log(...numbered(3000))
    await processor.flush()
    let writes = 0
    exporter.onExport = () => (++writes % 4 === 0 ? fail() : undefined)

    for (let time = 0; time < 40; time++) await processor.flush()

    expect(processor.stats()).toMatchObject({ accepted: 3000, written: 3000, spooled: 0 })
    expect(exporter.names).toEqual(numbered(3000))
  })

  it('are left to the next start where the store fails in the middle of them', async () => {
    const { spool } = createTemporaryDirectory()
    const { log, processor, exporter } = startProcessor({ directory: spool, maxMemoryMb: 1, maxBatchSize: 100 })
    exporter.onExport = fail
    log(...numbered(3000))
    await processor.flush()
    exporter.onExport = () => (exporter.records.length >= 2500 ? fail() : undefined)

    while (exporter.records.length < 2500) await processor.flush()
    await processor.flush()
    await processor.close(10)
    const next = startProcessor({ directory: spool })
    await expect.poll(() => segmentsIn(spool)).toEqual([])

    const { written, spooled, dropped } = processor.stats()
    expect([written + spooled, dropped]).toEqual([3000, 0])
    expect(spooled).toBeGreaterThan(400)
    expect(new Set([...exporter.names, ...next.exporter.names])).toEqual(new Set(numbered(3000)))
  })

  it('are counted when somebody removes the file they are in', async () => {
    const { spool } = createTemporaryDirectory()
    const { log, processor, exporter } = startProcessor({ directory: spool, maxMemoryMb: 1 })
    exporter.onExport = fail
    log(...numbered(2000))
    await endOfTurn()
    const { pending, spooled } = processor.stats()
    rmSync(spool, { recursive: true })

    exporter.onExport = () => {}
    await processor.flush()

    expect(exporter.records).toHaveLength(pending)
    expect(processor.stats()).toMatchObject({ dropped: spooled, droppedByReason: { spool_gone: spooled }, spooled: 0 })
    expectBalanced(processor)
  })

  it('are counted without a write too, when the file they are in is missed', async () => {
    vi.useFakeTimers({ toFake: [...intervals] })
    const { spool } = createTemporaryDirectory()
    const { log, processor, exporter } = startProcessor({ directory: spool, maxMemoryMb: 1 })
    exporter.onExport = fail
    log(...numbered(2000))
    await endOfTurn()
    const { spooled } = processor.stats()

    rmSync(spool, { recursive: true })
    vi.advanceTimersByTime(10_000)

    expect(spooled).toBeGreaterThan(100)
    expect(processor.stats()).toMatchObject({ dropped: spooled, spooled: 0 })
    expectBalanced(processor)
  })
})

describe('a disk that stalls', () => {
  it('holds the application up for three writes, however much waits', async () => {
    const { spool } = createTemporaryDirectory()
    const { log, lines } = startProcessor({ directory: spool, batchSize: 5000 })
    let aheadMs = 0
    const now = performance.now.bind(performance)
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      aheadMs += 60
      return now() + aheadMs
    })
    onTestFinished(() => clock.mockRestore())

    log(...numbered(4000))
    await endOfTurn()

    expect(lines.join()).toContain('3 writes took longer than 50 ms each')
    expect(readSpool(spool).segments).toBeLessThan(4)
  })
})

describe('a disk that is fast', () => {
  it('is not taken for a slow one because making the rows takes long', async () => {
    const { spool } = createTemporaryDirectory()
    const { processor, lines } = startProcessor({ directory: spool, batchSize: 1000 })
    const draft = draftRecord({ modelName: 'm', inputTokens: 1, outputTokens: 1 }, {}, Date.now())
    const slowDraft = {
      ...draft,
      get sessionId() {
        aheadMs += 60
        return 's'
      },
    }
    let aheadMs = 0
    const now = performance.now.bind(performance)
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + aheadMs)
    onTestFinished(() => clock.mockRestore())

    for (let row = 0; row < 5; row++) {
      processor.push(slowDraft)
      await endOfTurn()
    }

    expect(lines).toEqual([])
    expect(readSpool(spool).names).toHaveLength(5)
  })
})

describe('what a process that ended left behind', () => {
  it('is written by another one that runs already, within half a minute', async () => {
    vi.useFakeTimers({ toFake: [...timers, ...intervals] })
    const { spool } = createTemporaryDirectory()
    const processes = createProcesses()
    const [victim, other] = [processes.start(), processes.start()]
    const dead = startProcessor({ directory: spool, liveness: victim })
    const { exporter } = startProcessor({ directory: spool, liveness: other })
    dead.exporter.onExport = fail
    dead.log(...numbered(30))
    await vi.advanceTimersByTimeAsync(30_000)
    const whileItRuns = exporter.records.length

    processes.become(victim, 'ended')
    await vi.advanceTimersByTimeAsync(31_000)

    expect(whileItRuns).toBe(0)
    expect(exporter.names).toEqual(numbered(30))
  })

  it('makes room on disk at once when it is written', async () => {
    const { spool } = createTemporaryDirectory()
    const first = startProcessor({ directory: spool, maxMb: 1, batchSize: 100_000 })
    first.exporter.onExport = fail
    first.log(...numbered(5000))
    await endOfTurn()
    await first.processor.close(0)

    const { log, processor, exporter } = startProcessor({ directory: spool, maxMb: 1 })
    while (segmentsIn(spool).length > 0) await processor.flush()
    exporter.onExport = fail
    log('new')
    await endOfTurn()

    expect(processor.stats().recovered).toBeGreaterThan(2000)
    expect(readSpool(spool).names).toEqual(['new'])
  })

  it('counts what is damaged in it, once, and recovers all the rest', async () => {
    const { spool } = createTemporaryDirectory()
    const first = startProcessor({ directory: spool })
    first.exporter.onExport = fail
    first.log(...numbered(20))
    await first.processor.close(10)
    const path = join(spool, segmentsIn(spool)[0] ?? '')
    truncateSync(path, statSync(path).size - 3)

    const second = startProcessor({ directory: spool })
    await expect.poll(() => second.exporter.losses).toHaveLength(1)

    expect(second.exporter.names).toEqual(numbered(19))
    expect(second.processor.stats()).toMatchObject({
      accepted: 20,
      recovered: 20,
      written: 19,
      droppedByReason: { spool_damaged: 1 },
    })
    expect(segmentsIn(spool)).toEqual([])
  })

  it('is kept aside where more is wrong with it than a torn end, is said with its path, and is never read again', async () => {
    const { spool } = createTemporaryDirectory()
    const first = startProcessor({ directory: spool })
    first.exporter.onExport = fail
    first.log(...numbered(20))
    await first.processor.close(10)
    damage(join(spool, segmentsIn(spool)[0] ?? ''))

    const second = startProcessor({ directory: spool })
    await expect.poll(() => second.exporter.losses).toHaveLength(1)
    const third = startProcessor({ directory: spool })
    await third.processor.flush()

    const [kept = '', ...others] = readdirSync(join(spool, 'bad'))
    expect([second.exporter.names.length, others, segmentsIn(spool)]).toEqual([19, [], []])
    expect(statSync(join(spool, 'bad')).mode & 0o777).toBe(0o700)
    expect(second.processor.stats()).toMatchObject({ accepted: 20, written: 19, droppedByReason: { spool_damaged: 1 } })
    expect(second.lines.filter((line) => line.includes(join(spool, 'bad', kept)))).toHaveLength(1)
    expect(third.processor.stats()).toMatchObject({ recovered: 0, dropped: 0 })
  })

  it('is removed where those that were set aside before take a tenth of the spool', async () => {
    const { spool } = createTemporaryDirectory()
    const start = () => startProcessor({ directory: spool, maxMb: 1, batchSize: 1000 })
    for (let round = 0; round < 4; round++) {
      const victim = start()
      victim.exporter.onExport = fail
      victim.log(...numbered(150))
      await victim.processor.close(10)
      damage(join(spool, segmentsIn(spool)[0] ?? ''))
      const heir = start()
      await expect.poll(() => heir.exporter.losses).toHaveLength(1)
      await heir.processor.close()
    }

    const kept = readdirSync(join(spool, 'bad'))
    const bytes = kept.reduce((sum, name) => sum + statSync(join(spool, 'bad', name)).size, 0)
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThan(4)
    expect(bytes).toBeLessThanOrEqual(0.1 * 1024 * 1024)
    expect(segmentsIn(spool)).toEqual([])
  })

  it('stays where it is while the store takes nothing', async () => {
    const { spool } = createTemporaryDirectory()
    const first = startProcessor({ directory: spool })
    first.exporter.onExport = fail
    first.log(...numbered(9))
    await first.processor.close(10)
    const second = startProcessor({ directory: spool })
    second.exporter.onExport = fail

    await second.processor.flush()
    const during = second.processor.stats()
    await second.processor.close(10)

    expect(during).toMatchObject({ recovered: 9, spooled: 9, isFailing: true })
    expect(readSpool(spool).names).toEqual(numbered(9))
  })
})

describe('a segment that is taken from a running process', () => {
  it('is noticed at the next write, and what it held is written again', async () => {
    const { path, spool } = createTemporaryDirectory()
    const { log, processor } = startProcessor({ directory: spool, batchSize: 1000 })
    log('a', 'b')
    await endOfTurn()

    renameSync(join(spool, segmentsIn(spool)[0] ?? ''), join(path, 'taken'))
    log('c')
    await endOfTurn()

    const { names, segments } = readSpool(spool)
    expect([names.sort(), segments]).toEqual([['a', 'b', 'c'], 1])
    expectBalanced(processor)
  })

  it('is noticed without a write too, when the whole directory is removed', async () => {
    vi.useFakeTimers({ toFake: [...intervals] })
    const { spool } = createTemporaryDirectory()
    const { log } = startProcessor({ directory: spool, batchSize: 10_000 })
    log(...numbered(2000))
    await endOfTurn()

    rmSync(spool, { recursive: true })
    vi.advanceTimersByTime(10_000)

    expect(readSpool(spool).names).toEqual(numbered(2000))
  })
})

describe('a disk that takes nothing', () => {
  it('is left alone for 30 seconds, said in one line, and then gets what memory kept', async () => {
    vi.useFakeTimers({ toFake: [...intervals] })
    const { path, spool } = createTemporaryDirectory()
    appendFileSync(join(path, 'spool'), 'in the way')
    const { log, lines } = startProcessor({ directory: spool, batchSize: 1000 })
    for (const name of numbered(50)) {
      log(name)
      await endOfTurn()
    }
    rmSync(spool)
    mkdirSync(spool, { mode: 0o700 })
    vi.advanceTimersByTime(20_000)
    const early = segmentsIn(spool)

    vi.advanceTimersByTime(20_000)

    expect(early).toEqual([])
    expect(readSpool(spool).names).toEqual(numbered(50))
    expect(lines).toEqual([
      `the spool in ${spool} cannot be used: it is no directory. Usage rows are kept in memory only; next try in 30 s`,
      `the spool in ${spool} is written again`,
    ])
  })
})
