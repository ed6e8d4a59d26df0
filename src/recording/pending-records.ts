import { setImmediate as nextTurn } from 'node:timers/promises'
import { bytesOf, type DraftRecord, withOwnTexts } from '../usage/draft-record.js'
import { toUsageRecord } from '../usage/to-usage-record.js'
import type { UsageRecord } from '../usage/usage-record.js'
import type { RecordSource } from './record-source.js'

const rowsPerTurn = 50

/** A record in memory. `segment` is where its copy on disk is, if it has one. */
export type PendingRecord = { draft: DraftRecord; record: UsageRecord | undefined; segment: SpoolSegment | undefined }

/** The part of a spool's segment that is told when a copy is not needed any more. */
export interface SpoolSegment {
  acknowledge(): void
}

/** The records in memory, bounded in bytes. */
export class PendingRecords implements RecordSource {
  readonly #maxBytes: number
  readonly #items: PendingRecord[] = []
  #bytes = 0
  #settledCount = 0
  /** All items before this one have a segment. */
  #firstUnspooled = 0
  /** All items before this one have a row. */
  #firstUnmade = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#items.length
  }

  get settledCount(): number {
    return this.#settledCount
  }

  get bytes(): number {
    return this.#bytes
  }

  /** False where the record has no room; it is then not taken. */
  push(draft: DraftRecord): boolean {
    const bytes = this.#bytes + bytesOf(draft)
    if (bytes > this.#maxBytes) return false
    this.#bytes = bytes
    this.#items.push({ draft, record: undefined, segment: undefined })
    return true
  }

  /** The records may stay long: what their texts were cut out of is let go. */
  copyTexts(): void {
    for (const item of this.#items) item.draft = withOwnTexts(item.draft)
  }

  peek(count: number): UsageRecord[] {
    const oldest = this.#items.slice(0, count)
    this.#firstUnmade = Math.max(this.#firstUnmade, oldest.length)
    return oldest.map(recordOf)
  }

  /** Makes the rows of all records, a few in each turn of the event loop, while it is wanted: what `peek` then finds is ready. */
  async makeRowsWhile(isWanted: () => boolean): Promise<void> {
    while (this.#firstUnmade < this.#items.length) {
      await nextTurn()
      if (!isWanted()) return
      const end = Math.min(this.#firstUnmade + rowsPerTurn, this.#items.length)
      for (const item of this.#items.slice(this.#firstUnmade, end)) recordOf(item)
      this.#firstUnmade = end
    }
  }

  settle(count: number): DraftRecord[] {
    const settled = this.#items.splice(0, count)
    for (const { draft, segment } of settled) {
      this.#bytes -= bytesOf(draft)
      segment?.acknowledge()
    }
    this.#settledCount += settled.length
    this.#firstUnspooled = Math.max(0, this.#firstUnspooled - settled.length)
    this.#firstUnmade = Math.max(0, this.#firstUnmade - settled.length)
    return settled.map(({ draft }) => draft)
  }

  defer(count: number): void {
    this.#items.push(...this.#items.splice(0, count))
    this.#firstUnspooled = 0
    this.#firstUnmade = 0
  }

  /** The oldest records that have no copy on disk, `count` at most. */
  unspooled(count: number): PendingRecord[] {
    while (this.#items[this.#firstUnspooled]?.segment !== undefined) this.#firstUnspooled += 1
    const found: PendingRecord[] = []
    for (let index = this.#firstUnspooled; index < this.#items.length && found.length < count; index++) {
      const item = this.#items[index]
      if (item?.segment === undefined && item !== undefined) found.push(item)
    }
    return found
  }

  /** The copies in this segment are gone. */
  forgetSegment(segment: SpoolSegment): void {
    for (const item of this.#items) if (item.segment === segment) item.segment = undefined
    this.#firstUnspooled = 0
  }

  /** Forgets all records, and returns those of which no copy is left. */
  abandon(): DraftRecord[] {
    const all = this.#items.splice(0)
    this.#bytes = 0
    this.#settledCount += all.length
    this.#firstUnspooled = 0
    this.#firstUnmade = 0
    return all.filter(({ segment }) => segment === undefined).map(({ draft }) => draft)
  }
}

/** The row of a record: once made it stays the same, whoever asks first. */
export function recordOf(item: PendingRecord): UsageRecord {
  item.record ??= toUsageRecord(item.draft)
  return item.record
}
