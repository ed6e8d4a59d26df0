import { resolve } from 'node:path'
import type { DraftRecord } from '../../usage/draft-record.js'
import { toUsageRecord } from '../../usage/to-usage-record.js'
import { createLineLimiter, type DiagnosticLogger } from '../diagnostics.js'
import { type PendingRecords, recordOf } from '../pending-records.js'
import { Backlog } from './backlog.js'
import { GroupSync } from './group-sync.js'
import { createLiveness, type Liveness } from './owner.js'
import type { Segment } from './segment.js'
import { SegmentWriter } from './segment-writer.js'
import { SpoolBreaker } from './spool-breaker.js'
import { SpoolDirectory } from './spool-directory.js'

export type SpoolSettings = {
  readonly directory: string
  /** What all segments in the directory together may take. */
  readonly maxMb: number
  /** Whether segments are put on the disk itself, within about half a second; left to the system, if left out. */
  readonly fsync?: boolean | undefined
  /** Tells who owns a segment; by what the system tells of its processes, if left out. */
  readonly liveness?: Liveness | undefined
}

export type SpoolParts = {
  readonly pending: PendingRecords
  readonly diagnostics: DiagnosticLogger
  /** So many records that were on disk only cannot be read any more. */
  readonly onLost: (reason: 'spool_gone' | 'spool_damaged', count: number) => void
  /** There are records of ended processes to write. */
  readonly onOrphans: () => void
}

/** The spool of these settings; undefined, with a line in the log, where this system cannot have one. */
export function openSpool(settings: SpoolSettings | undefined, parts: SpoolParts): Spool | undefined {
  try {
    return settings && new Spool(settings, parts)
  } catch (error) {
    const { message } = error as Error
    parts.diagnostics.error({}, `there is no spool: ${message}. Usage rows are kept in memory only`)
    return undefined
  }
}

const itemsAtOnce = 512
const badShare = 0.1
const tickMs = 10_000
const ticksPerSweep = 3
const linesMs = 3_600_000

/**
 * Keeps a copy on disk of every record that is not yet written, so that the end of the process does not lose it.
 *
 * A record passes through these states:
 * - in memory only, from `log()` to the end of that turn of the event loop. There, one write puts all new records into
 *   the current segment. While the disk fails, stalls or is full they stay in this state, and the next write that
 *   succeeds takes them along;
 * - in memory and in a segment, until the store has acknowledged it. A segment whose records are all acknowledged is
 *   removed. One that somebody else took away or removed puts its records back into the first state;
 * - in a segment only: it found no room in memory, or another process left it behind. See `Backlog`.
 *
 * When the process ends, in whatever way, its segments become orphans, which any process with the same directory takes
 * over: each looks for them at its start and every 30 seconds. What is taken over twice is stored once, by its id.
 */
export class Spool {
  readonly backlog: Backlog
  readonly #parts: SpoolParts
  readonly #maxBytes: number
  readonly #directory: SpoolDirectory
  readonly #breaker: SpoolBreaker
  readonly #sync: GroupSync | undefined
  readonly #writer: SegmentWriter
  readonly #mayLog = createLineLimiter(linesMs)
  readonly #segments = new Set<Segment>()
  readonly #timer: NodeJS.Timeout
  #endOfTurn: NodeJS.Immediate | undefined
  #bytes = 0
  #left = 0
  #isLeft = false
  #ticks = 0

  /** Throws where processes cannot be told apart; that the directory cannot be used is no reason to. */
  constructor({ directory, maxMb, fsync, liveness = createLiveness() }: SpoolSettings, parts: SpoolParts) {
    this.#parts = parts
    this.#maxBytes = maxMb * 1024 * 1024
    this.#directory = new SpoolDirectory(resolve(directory), liveness)
    this.#breaker = new SpoolBreaker(this.#directory.path, parts.diagnostics)
    if (fsync) this.#sync = new GroupSync(this.#directory.path, (error) => this.#breaker.fail(error))
    this.#writer = this.#createWriter()
    const { diagnostics, onLost } = parts
    this.backlog = new Backlog({
      directory: this.#directory,
      writer: this.#createWriter(),
      maxBadBytes: this.#maxBytes * badShare,
      diagnostics,
      onRemoved: (bytes) => (this.#bytes -= bytes),
      onLost,
    })
    this.#timer = setInterval(() => this.#tick(), tickMs).unref()
    this.#sweep()
  }

  /** Records that are on disk and not in memory. */
  get count(): number {
    return this.backlog.count + this.backlog.leftBehind + this.#left
  }

  /** There are new records in memory: they are written at the end of this turn of the event loop. */
  requestWrite(): void {
    this.#endOfTurn ??= setImmediate(() => {
      this.#endOfTurn = undefined
      this.write()
    })
  }

  /** Writes the records that are in memory only, unless the disk needs a rest. Never throws. */
  write(): void {
    this.#breaker.attempt(() => this.#writePending())
  }

  /** Takes a record for which there is no room in memory; false where the disk takes none either. */
  spill(draft: DraftRecord): boolean {
    let isTaken = false
    this.#breaker.attempt(() => {
      isTaken = this.backlog.add(toUsageRecord(draft))
    })
    return isTaken
  }

  /** From now on nothing is taken over from ended processes. */
  stopTakingOver(): void {
    clearInterval(this.#timer)
    this.backlog.orphans = []
  }

  /**
   * Leaves all that is not acknowledged to whoever comes next, and forgets the records in memory. Returns those that are
   * lost by it, since they could not be written.
   */
  leave(): readonly DraftRecord[] {
    this.stopTakingOver()
    clearImmediate(this.#endOfTurn)
    this.#isLeft = true
    this.#breaker.attemptAnyway(() => {
      this.#findLostSegments()
      this.#writePending()
    })
    const { pending } = this.#parts
    const kept = pending.count
    const lost = pending.abandon()
    this.#left = kept - lost.length
    this.backlog.release()
    for (const segment of this.#segments) {
      segment.seal()
      const path = this.#directory.release(segment.path)
      if (path !== undefined) this.#sync?.add(path)
    }
    this.#directory.endLease()
    return lost
  }

  /** Resolves when what was left is on the disk itself, where that is asked for. Never rejects. */
  async finishSync(): Promise<void> {
    await this.#sync?.finish()
  }

  #createWriter(): SegmentWriter {
    const spool = this
    return new SegmentWriter({
      get room() {
        return spool.#room
      },
      create: () => spool.#create(),
      grown: ({ path }, bytes) => {
        spool.#bytes += bytes
        spool.#sync?.add(path)
      },
      took: (durationMs) => this.#breaker.took(durationMs),
      lost: (segment) => {
        // Whoever took one may have taken all.
        spool.#lose(segment)
        spool.#findLostSegments()
      },
    })
  }

  #create(): Segment {
    const segment = this.#directory.create(() => {
      this.#segments.delete(segment)
      this.#bytes -= segment.bytes
    })
    this.#segments.add(segment)
    if (this.#segments.size === 1) this.#directory.renewLease()
    return segment
  }

  #lose(segment: Segment): void {
    this.#parts.pending.forgetSegment(segment)
    this.backlog.forget(segment)
  }

  #writePending(): void {
    while (this.#room > 0) {
      // A disk that stalls is not to hold the application up for all that waits.
      if (this.#breaker.isOpen && !this.#isLeft) return
      const items = this.#parts.pending.unspooled(itemsAtOnce)
      const written = items.length > 0 ? this.#writer.write(items.map(recordOf)) : undefined
      if (written === undefined) return
      for (const item of items.slice(0, written.count)) item.segment = written.segment
    }
    this.#reportFull()
  }

  get #room(): number {
    return this.#maxBytes - this.#bytes
  }

  #tick(): void {
    if (this.#segments.size > 0 || this.backlog.count > 0) this.#directory.renewLease()
    this.#breaker.attempt(() => {
      this.#findLostSegments()
      this.#writePending()
    })
    this.#ticks += 1
    if (this.#ticks % ticksPerSweep === 0) this.#sweep()
  }

  #findLostSegments(): void {
    for (const segment of [...this.#segments]) {
      if (segment.isInPlace()) continue
      segment.forget()
      this.#lose(segment)
    }
  }

  #sweep(): void {
    this.#breaker.attempt(() => {
      const { bytes, orphans } = this.#directory.survey()
      this.#bytes = bytes
      this.backlog.orphans = orphans
    })
    if (this.backlog.isWaiting) this.#parts.onOrphans()
  }

  #reportFull(): void {
    if (!this.#mayLog('full')) return
    const megabytes = this.#maxBytes / 1024 / 1024
    const message = `the spool in ${this.#directory.path} has reached its ${megabytes} MB: new usage rows are kept in memory only`
    this.#parts.diagnostics.warn({ maxSpoolMb: megabytes }, message)
  }
}
