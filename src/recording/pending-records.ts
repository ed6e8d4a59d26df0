import type { DraftRecord } from '../usage/draft-record.js'
import { toUsageRecord } from '../usage/to-usage-record.js'
import type { UsageRecord } from '../usage/usage-record.js'

type Pending = { readonly draft: DraftRecord; record: UsageRecord | undefined }

/** The records in memory, oldest first, bounded in bytes. A record stays until it is told to be settled. */
export class PendingRecords {
  readonly #maxBytes: number
  #items: Pending[] = []
  #head = 0
  #bytes = 0
  #settledCount = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#items.length - this.#head
  }

  /** Records settled since the beginning. */
  get settledCount(): number {
    return this.#settledCount
  }

  get bytes(): number {
    return this.#bytes
  }

  /** False where the record has no room; it is then not taken. */
  push(draft: DraftRecord): boolean {
    if (this.#bytes + draft.bytes > this.#maxBytes) return false
    this.#bytes += draft.bytes
    this.#items.push({ draft, record: undefined })
    return true
  }

  /** The rows of the oldest `count` records. Asked again they are the same rows, with the same ids. */
  peek(count: number): UsageRecord[] {
    return this.#items.slice(this.#head, this.#head + count).map((item) => {
      item.record ??= toUsageRecord(item.draft)
      return item.record
    })
  }

  /** Forgets the oldest `count` records and returns their drafts. */
  settle(count: number): DraftRecord[] {
    const settled = this.#items.slice(this.#head, this.#head + count).map((item) => item.draft)
    for (const draft of settled) this.#bytes -= draft.bytes
    this.#head += settled.length
    this.#settledCount += settled.length
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return settled
  }
}
