import type { UsageRecord } from '../../usage/usage-record.js'
import { createLineLimiter, type DiagnosticLogger } from '../diagnostics.js'
import type { LostRecord, RecordSource } from '../record-source.js'
import { readSegment, removeFile, type Segment } from './segment.js'
import type { SegmentWriter } from './segment-writer.js'
import type { SpoolDirectory } from './spool-directory.js'
import { restoreRecord } from './spooled-record.js'

export type BacklogParts = {
  readonly directory: SpoolDirectory
  readonly writer: SegmentWriter
  readonly diagnostics: DiagnosticLogger
  /** What damaged segments that are kept for people may take. */
  readonly maxBadBytes: number
  /** So many bytes of ended processes are not on disk any more. */
  readonly onRemoved: (bytes: number) => void
  /** So many records that were on disk only cannot be read any more. */
  readonly onLost: (reason: 'spool_gone' | 'spool_damaged', count: number) => void
}

type Spilled = { readonly segment: Segment; records: number }
type Found = {
  readonly records: UsageRecord[]
  readonly bytes: number
  readonly damaged: number
  readonly isGone: boolean
  /** More is wrong with it than an end that was torn off. */
  readonly isBad: boolean
}
type Loaded = {
  readonly path: string
  readonly records: UsageRecord[]
  /** Records of an ended process that cannot be read: counted when the segment goes, and so once. */
  readonly damaged: number
  readonly isBad: boolean
  readonly remove: () => void
}

/**
 * The records that are on disk only: those that found no room in memory, and those that ended processes left behind.
 *
 * One segment at a time is read, its records are peeked at and settled like those in memory, and after the last of them
 * it is removed. Spilled segments come first, in their order. An orphan is claimed just before it is read, so that
 * several processes share the work; one that cannot be read is given back for a later try.
 */
export class Backlog implements RecordSource {
  readonly #parts: BacklogParts
  readonly #mayLog = createLineLimiter()
  #spilled: Spilled[] = []
  #orphans: string[] = []
  #loaded: Loaded | undefined
  #settledCount = 0
  #takenOver = 0
  #leftBehind = 0

  constructor(parts: BacklogParts) {
    this.#parts = parts
  }

  /** Records of ours on disk, and those of ended processes that have been read. */
  get count(): number {
    return this.#spilled.reduce((sum, { records }) => sum + records, this.#loaded?.records.length ?? 0)
  }

  get settledCount(): number {
    return this.#settledCount
  }

  /** Records of ended processes so far, those that could not be read included. */
  get takenOver(): number {
    return this.#takenOver
  }

  /** Records that are on disk and none of this process's business any more. */
  get leftBehind(): number {
    return this.#leftBehind
  }

  /** Whether there is anything to read: also the segments of ended processes that nobody has read yet. */
  get isWaiting(): boolean {
    return this.count > 0 || this.#orphans.length > 0
  }

  set orphans(names: readonly string[]) {
    this.#orphans = [...names]
  }

  /** Puts a record on disk; false where there is no room. Throws where that fails. */
  add(record: UsageRecord): boolean {
    const written = this.#parts.writer.write([record])
    if (written === undefined) return false
    const last = this.#spilled.at(-1)
    if (last?.segment === written.segment) last.records += 1
    else this.#spilled.push({ segment: written.segment, records: 1 })
    return true
  }

  peek(count: number): UsageRecord[] {
    while (this.#loaded === undefined && (this.#spilled.length > 0 || this.#orphans.length > 0)) {
      if (this.#spilled.length > 0) this.#loadSpilled()
      else this.#loadOrphan()
      this.#removeIfSettled()
    }
    return this.#loaded?.records.slice(0, count) ?? []
  }

  settle(count: number): readonly LostRecord[] {
    const settled = this.#loaded?.records.splice(0, count) ?? []
    this.#settledCount += settled.length
    this.#removeIfSettled()
    return settled.map(({ timestamp: loggedAt, inputTokens, outputTokens }) => ({
      loggedAt,
      inputTokens,
      outputTokens,
    }))
  }

  /** They stay before the records of other segments: one segment is read at a time. */
  defer(count: number): void {
    const records = this.#loaded?.records ?? []
    records.push(...records.splice(0, count))
  }

  /** A segment of ours is not in its place any more: its records, if it had any, are gone. */
  forget(segment: Segment): void {
    const gone = this.#spilled.find((spilled) => spilled.segment === segment)
    if (gone === undefined) return
    this.#spilled = this.#spilled.filter((spilled) => spilled !== gone)
    this.#lose('spool_gone', gone.records)
  }

  /** Leaves everything to others. */
  release(): void {
    this.#leftBehind += this.count
    this.#orphans = []
    this.#spilled = []
    if (this.#loaded) this.#parts.directory.release(this.#loaded.path)
    this.#loaded = undefined
  }

  #loadSpilled(): void {
    const spilled = this.#spilled.shift()
    if (spilled === undefined) return
    const { segment, records: expected } = spilled
    segment.seal()
    const found = this.#read(segment.path)
    if (found === undefined) {
      this.#leftBehind += expected
      return
    }
    this.#lose(found.isGone ? 'spool_gone' : 'spool_damaged', expected - found.records.length)
    const { records, isBad } = found
    this.#loaded = { path: segment.path, records, damaged: 0, isBad, remove: () => segment.remove() }
  }

  #loadOrphan(): void {
    const path = this.#claim(this.#orphans.shift() ?? '')
    const found = path === undefined ? undefined : this.#read(path)
    if (path === undefined || found === undefined) return
    const { records, damaged, isBad, bytes } = found
    this.#takenOver += records.length
    const remove = () => {
      removeFile(path)
      // One that was set aside still takes its room.
      if (!isBad) this.#parts.onRemoved(bytes)
    }
    this.#loaded = { path, records, damaged, isBad, remove }
  }

  #claim(name: string): string | undefined {
    const { directory } = this.#parts
    try {
      return directory.isOrphan(name) ? directory.claim(name) : undefined
    } catch (error) {
      this.#report(error)
      return undefined
    }
  }

  // What cannot be read now may be readable later, or to another version: it stays, and belongs to nobody.
  #read(path: string): Found | undefined {
    try {
      const frames = readSegment(path)
      const records = (frames?.payloads ?? []).map(restoreRecord).filter((record) => record !== undefined)
      const damaged = (frames?.damaged ?? 0) + (frames?.payloads.length ?? 0) - records.length
      const isBad = damaged > (frames?.isTorn ? 1 : 0)
      return { records, bytes: frames?.bytes ?? 0, damaged, isGone: frames === undefined, isBad }
    } catch (error) {
      this.#report(error)
      this.#parts.directory.release(path)
      return undefined
    }
  }

  #removeIfSettled(): void {
    if (this.#loaded === undefined || this.#loaded.records.length > 0) return
    const { path, damaged, isBad, remove } = this.#loaded
    this.#loaded = undefined
    if (isBad) this.#setAside(path)
    remove()
    this.#takenOver += damaged
    this.#lose('spool_damaged', damaged)
  }

  #setAside(path: string): void {
    const { directory, diagnostics, maxBadBytes } = this.#parts
    const kept = directory.setAside(path, maxBadBytes)
    if (!this.#mayLog('damaged')) return
    const fate =
      kept === undefined ? 'It was removed, for those kept before take all the room there is' : `It is kept as ${kept}`
    diagnostics.warn({ path: kept }, `a segment of the spool is damaged; what can be read of it was taken. ${fate}`)
  }

  #lose(reason: 'spool_gone' | 'spool_damaged', count: number): void {
    if (count <= 0) return
    this.#settledCount += count
    this.#parts.onLost(reason, count)
  }

  #report(error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException
    if (!this.#mayLog('unreadable')) return
    const fields = { reason: code ?? message }
    this.#parts.diagnostics.warn(
      fields,
      `a segment of the spool cannot be read: ${code ?? message}. It is left as it is`,
    )
  }
}
