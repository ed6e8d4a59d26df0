import type { ExportError } from '../errors.js'
import { createLineLimiter, type DiagnosticLogger } from './diagnostics.js'
import { exportBatch } from './export-batch.js'
import type { UsageExporter } from './exporter.js'
import type { Losses } from './losses.js'
import type { LostRecord, RecordSource } from './record-source.js'

export type BatchWriterParts = {
  readonly exporter: UsageExporter
  readonly losses: Losses
  readonly diagnostics: DiagnosticLogger
}

/** Hears of a write that the store has acknowledged. */
export type WriteObserver = (write: { readonly rows: number; readonly durationMs: number }) => void

const smallestBatch = 10
const bisectingMs = 1000

/** Writes the oldest records of a source as one batch, settles them there, and counts what became of them. */
export class BatchWriter {
  readonly #parts: BatchWriterParts
  readonly #maxBatchSize: number
  readonly #mayLog = createLineLimiter()
  #batchLimit: number
  #written = 0
  #deadLettered = 0
  #isStopped = false
  readonly #observers = new Set<WriteObserver>()

  constructor(maxBatchSize: number, parts: BatchWriterParts) {
    this.#parts = parts
    this.#maxBatchSize = maxBatchSize
    this.#batchLimit = maxBatchSize
  }

  get written(): number {
    return this.#written
  }

  get deadLettered(): number {
    return this.#deadLettered
  }

  /**
   * Rejects with the store's error; what was settled before it stays so. A batch of many refused records is left after a
   * second: what is left of it is put behind all other records, and the answer is how many those are.
   */
  async write(source: RecordSource): Promise<number> {
    const records = source.peek(this.#batchLimit)
    if (records.length === 0) return 0
    const until = performance.now() + bisectingMs
    let left = records.length
    // After `stop()` the records have been accounted for already, whatever a late answer says.
    const settle = (count: number, account: (records: readonly LostRecord[]) => void) => {
      left -= count
      if (!this.#isStopped) account(source.settle(count))
    }
    // Without one settled record it would begin anew next time, and never end.
    const isOverTime = () => left < records.length && performance.now() >= until
    await exportBatch(this.#parts.exporter, records, {
      written: (rows, durationMs) => {
        settle(rows, () => (this.#written += rows))
        for (const observe of this.#observers) observe({ rows, durationMs })
      },
      deadLettered: (refusal) => settle(1, () => this.#reportDeadLetter(refusal)),
      dropped: () => settle(1, ([record]) => this.#parts.losses.drop('refused', record)),
      isStopped: () => this.#isStopped || isOverTime(),
    })
    this.#batchLimit = Math.min(this.#maxBatchSize, this.#batchLimit * 2)
    if (left > 0 && !this.#isStopped) source.defer(left)
    return left
  }

  /** `observer` hears of each write that the store acknowledges from now on. */
  observe(observer: WriteObserver): void {
    this.#observers.add(observer)
  }

  /** A smaller batch next time: a slow connection may carry that within its time limit. */
  shrink(): void {
    this.#batchLimit = Math.max(Math.min(smallestBatch, this.#maxBatchSize), this.#batchLimit >> 1)
  }

  /** Nothing is settled any more. */
  stop(): void {
    this.#isStopped = true
  }

  #reportDeadLetter(refusal: ExportError): void {
    this.#deadLettered += 1
    if (!this.#mayLog('dead letter')) return
    const { exporter, diagnostics } = this.#parts
    const fields = { reason: refusal.reason, deadLettered: this.#deadLettered }
    const message = `${exporter.name} refused a usage row: ${refusal.message}. It is kept whole among the dead letters`
    diagnostics.error(fields, message)
  }
}
