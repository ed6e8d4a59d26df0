import type { UsageRecord } from '../usage/usage-record.js'

/** Records that could not be kept, counted together: stored as one row as soon as the store answers again. */
export type UsageLoss = {
  /** UUIDv7: writing the same loss twice stores it once. */
  readonly id: string
  readonly reason: string
  readonly records: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Milliseconds since 1970 of the first and the last record lost. */
  readonly firstAt: number
  readonly lastAt: number
}

/**
 * What a batch of records is handed to. Every method resolves only when the store has acknowledged the write, may be
 * repeated with the same ids without effect, and rejects with an `ExportError` whose `kind` decides what happens next.
 */
export interface UsageExporter {
  /** The store's name in log lines (`PostgreSQL`); never an address. */
  readonly name: string
  /** Stores all of `records` or none. A record whose `eventId` is there already counts as stored. */
  export(records: readonly UsageRecord[]): Promise<void>
  /** Keeps a record that the store refuses, whole, with the reason. */
  exportDeadLetter(record: UsageRecord, reason: { readonly code: string; readonly message: string }): Promise<void>
  exportLoss(loss: UsageLoss): Promise<void>
  /** Ends what the exporter itself opened. Idempotent. */
  close(): Promise<void>
}
