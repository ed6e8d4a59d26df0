import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ExportError } from '../../../src/errors.js'
import { GroupSync } from '../../../src/recording/spool/group-sync.js'
import { createTemporaryDirectory, endOfTurn, numbered, segmentsIn, startProcessor } from './spool-setup.js'

/** What was asked of the disk, and what it answers. */
const disk = vi.hoisted(() => ({ synced: [] as string[], error: undefined as Error | undefined }))

/** What was put on the disk of this spool: that of the test before may still be at it. */
const syncedIn = (spool: string) => disk.synced.filter((path) => path.startsWith(spool))

vi.mock('node:fs/promises', async (importOriginal) => {
  const promises = await importOriginal<typeof import('node:fs/promises')>()
  const open: typeof promises.open = async (path, flags) => {
    const file = await promises.open(path, flags)
    const datasync = file.datasync.bind(file)
    file.datasync = async () => {
      disk.synced.push(String(path))
      if (disk.error) throw disk.error
      await datasync()
    }
    return file
  }
  return { ...promises, open }
})

vi.mock('node:timers/promises', () => import('../timers-in-hand.js'))

const fail = () => Promise.reject(new ExportError('passing', 'TEST', 'the store is away (TEST)'))

beforeEach(() => {
  // A busy machine is no disk that stalls.
  vi.useFakeTimers({ toFake: ['performance'] })
  disk.error = undefined
})
afterEach(() => void vi.useRealTimers())

function start(fsync: boolean | undefined) {
  const { spool } = createTemporaryDirectory()
  const started = startProcessor({ directory: spool, batchSize: 1000, fsync })
  started.exporter.onExport = fail
  return { spool, ...started }
}

describe('putting the spool on the disk itself', () => {
  it('is done once for all that was written in half a second, and not in the turn that wrote it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { spool, log } = start(true)

    log(...numbered(10))
    await endOfTurn()
    log(...numbered(10))
    await endOfTurn()
    vi.advanceTimersByTime(499)
    const early = syncedIn(spool)
    vi.advanceTimersByTime(1)
    await expect.poll(() => syncedIn(spool)).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(5000)

    expect(early).toEqual([])
    expect(syncedIn(spool)).toEqual([join(spool, segmentsIn(spool)[0] ?? ''), spool])
  })

  it('is not done where nobody asks for it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { spool, log } = start(undefined)

    log('a')
    await endOfTurn()
    await vi.advanceTimersByTimeAsync(5000)

    expect(syncedIn(spool)).toEqual([])
  })

  it('is done for what is left when the logger closes, before close() resolves', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { spool, log, processor } = start(true)

    log('a')
    const closing = processor.close(10)
    // Not as far as the time that closing may take beyond that.
    await vi.advanceTimersByTimeAsync(10)
    await closing

    expect(syncedIn(spool)).toContain(join(spool, segmentsIn(spool)[0] ?? ''))
  })

  it('that fails is one line, and the disk gets its rest', async () => {
    const { log, processor, lines } = start(true)
    disk.error = Object.assign(new Error('EIO'), { code: 'EIO' })

    log('a')
    await expect.poll(() => lines.join()).toContain('cannot be used: EIO')
    log('b')
    await endOfTurn()

    expect(lines.filter((line) => line.includes('EIO'))).toHaveLength(1)
    expect(processor.stats()).toMatchObject({ accepted: 2, pending: 2, dropped: 0 })
  })
})

it('passes over files that are gone, and does no second sync while one runs', async () => {
  const { spool } = createTemporaryDirectory()
  mkdirSync(spool)
  const errors: unknown[] = []
  const sync = new GroupSync(spool, (error) => errors.push(error))

  sync.add(join(spool, 'gone'))
  await Promise.all([sync.finish(), sync.finish()])
  rmSync(spool, { recursive: true })

  expect([errors, syncedIn(spool)]).toEqual([[], []])
  expect(() => statSync(spool)).toThrow('ENOENT')
})
