import type { DraftRecord } from '../usage/draft-record.js'
import type { UsageRecord } from '../usage/usage-record.js'

/** What is counted of a record that could not be kept. */
export type LostRecord = Pick<DraftRecord, 'loggedAt' | 'inputTokens' | 'outputTokens'>

/** Records waiting to be written, oldest first. A record stays until it is told to be settled. */
export interface RecordSource {
  readonly count: number
  /** Records settled since the beginning. */
  readonly settledCount: number
  /** The rows of the oldest `count` records at most. Asked again they are the same rows, with the same ids. */
  peek(count: number): UsageRecord[]
  /** Forgets the oldest `count` records. */
  settle(count: number): readonly LostRecord[]
  /** Puts the oldest `count` records behind all others. */
  defer(count: number): void
}
