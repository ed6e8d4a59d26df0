import type { UsageRecord } from '../../usage/usage-record.js'
import { encodeFrame } from './frame.js'
import { fullSegmentBytes, type Segment } from './segment.js'
import { spoolRecord } from './spooled-record.js'

/** Where a writer gets its segments from, and asks for room. */
export interface SegmentSource {
  /** Bytes that may still be written. */
  readonly room: number
  create(): Segment
  /** So many bytes more of it are on disk. */
  grown(segment: Segment, bytes: number): void
  /** The disk took so long for a write. */
  took(durationMs: number): void
  /** A segment is not where it was put: its records may be gone. */
  lost(segment: Segment): void
}

/** The first `count` of some records are in `segment` now. */
export type Written = { readonly segment: Segment; readonly count: number }

const attempts = 3

/** Appends records to one segment after the other. */
export class SegmentWriter {
  readonly #source: SegmentSource
  #current: Segment | undefined

  constructor(source: SegmentSource) {
    this.#source = source
  }

  /** The segment that the next record goes to. */
  get current(): Segment | undefined {
    return this.#current?.isOpen ? this.#current : undefined
  }

  /**
   * Writes as many of `records` as one segment takes, at least the first; undefined where there is no room. Throws where
   * none was written.
   */
  write(records: readonly UsageRecord[]): Written | undefined {
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (this.#source.room <= 0) return undefined
      const segment = this.current ?? this.#timed(() => this.#source.create())
      this.#current = segment
      const count = this.#append(segment, records)
      if (this.#timed(() => segment.isInPlace())) return { segment, count }
      segment.forget()
      this.#source.lost(segment)
    }
    throw new Error('segments disappear while they are written')
  }

  /** The next record begins a new segment. */
  seal(): void {
    this.current?.seal()
  }

  #append(segment: Segment, records: readonly UsageRecord[]): number {
    const frames = encodeUpTo(Math.min(this.#source.room, fullSegmentBytes - segment.bytes), records)
    const before = segment.bytes
    try {
      this.#timed(() => segment.append(frames))
    } catch (error) {
      // A full disk leaves an empty file behind.
      if (segment.bytes === 0) segment.remove()
      throw error
    }
    this.#source.grown(segment, segment.bytes - before)
    return frames.length
  }

  // Making the frames is no work of the disk, however many they are.
  #timed<T>(work: () => T): T {
    const startedAt = performance.now()
    const result = work()
    this.#source.took(performance.now() - startedAt)
    return result
  }
}

function encodeUpTo(bytes: number, records: readonly UsageRecord[]): Buffer[] {
  const frames: Buffer[] = []
  let left = bytes
  for (const record of records) {
    if (left <= 0) break
    const frame = encodeFrame(spoolRecord(record))
    frames.push(frame)
    left -= frame.length
  }
  return frames
}
