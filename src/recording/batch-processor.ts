import { setTimeout as sleep } from 'node:timers/promises'
import PQueue from 'p-queue'
import type { ExportError } from '../errors.js'
import type { DraftRecord } from '../usage/draft-record.js'
import { createLineLimiter, type DiagnosticLogger } from './diagnostics.js'
import { exportBatch } from './export-batch.js'
import type { UsageExporter } from './exporter.js'
import { Losses, type LossReason } from './losses.js'
import { Outage } from './outage.js'
import { PendingRecords } from './pending-records.js'

export type BatchProcessorSettings = {
  /** Rows that trigger a write. */
  readonly batchSize: number
  /** Rows of one write at most. */
  readonly maxBatchSize: number
  readonly flushIntervalMs: number
  readonly maxMemoryMb: number
}

const smallestBatch = 10
const longestPauseInDrainMs = 1000
const exporterCloseMs = 200

/**
 * Takes records at once and writes them in batches, one write at a time.
 *
 * Pending records are written when there are `batchSize` of them or `flushIntervalMs` after the first; while a write
 * runs, the next ones pile up and go out together after it. A write that fails leaves its records where they were: the
 * next try comes after a pause and sends the same rows with the same ids. Only a record that finds no room in memory, or
 * that nothing would take, is dropped, and is then counted as a loss.
 */
export class BatchProcessor {
  readonly #settings: BatchProcessorSettings
  readonly #exporter: UsageExporter
  readonly #diagnostics: DiagnosticLogger
  readonly #mayLog = createLineLimiter()
  readonly #pending: PendingRecords
  readonly #losses = new Losses()
  readonly #outage: Outage
  readonly #writes = new PQueue({ concurrency: 1 })
  #accepted = 0
  #written = 0
  #deadLettered = 0
  #batchLimit: number
  #isWriting = false
  #isClosed = false
  #hasStore = true
  #closing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined

  constructor(settings: BatchProcessorSettings, exporter: UsageExporter, diagnostics: DiagnosticLogger) {
    this.#settings = settings
    this.#exporter = exporter
    this.#diagnostics = diagnostics
    this.#outage = new Outage(exporter.name, diagnostics)
    this.#batchLimit = settings.maxBatchSize
    this.#pending = new PendingRecords(settings.maxMemoryMb * 1024 * 1024)
  }

  /** Takes a record or, where there is no room, counts its loss. Never throws, never waits. */
  push(draft: DraftRecord): void {
    this.#accepted += 1
    if (this.#isClosed) this.#drop('closed', draft)
    else if (!this.#pending.push(draft)) this.#drop('memory_full', draft)
    else if (this.#timer === undefined || this.#pending.count === this.#settings.batchSize) this.#schedule()
  }

  /** Counts an entry of which nothing could be read. */
  refuseEntry(): void {
    this.#accepted += 1
    this.#drop('unreadable_entry')
    this.#schedule()
  }

  /** Says at once, and not at the first write only, that there is no store to write to; a drain will not wait for one. */
  reportMissingStore(error: ExportError): void {
    this.#hasStore = false
    this.#fail(error)
  }

  /** Resolves when what is pending now is settled, or when a try to write it has failed. Never rejects. */
  async flush(): Promise<void> {
    const target = this.#pending.settledCount + this.#pending.count
    const failures = this.#outage.failures
    await this.#writes.add(() => this.#writeUntil(target, failures))
  }

  /** Writes until nothing is pending, trying again for `timeoutMs` at most. Never rejects. */
  async drain(timeoutMs: number): Promise<void> {
    const giveUp = new AbortController()
    const timeout = sleep(timeoutMs, undefined, { signal: giveUp.signal }).catch(() => undefined)
    await Promise.race([this.#drainUntil(performance.now() + timeoutMs, giveUp.signal), timeout])
    giveUp.abort()
  }

  /** Drains, counts what is left as lost, and closes the exporter. Never rejects. */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  stats() {
    return {
      isFailing: this.#outage.isOn,
      isClosed: this.#isClosed,
      accepted: this.#accepted,
      written: this.#written,
      pending: this.#pending.count,
      deadLettered: this.#deadLettered,
      dropped: this.#losses.total,
      droppedByReason: this.#losses.byReason,
      retries: this.#outage.failures,
      lastError: this.#outage.lastError,
    }
  }

  #schedule(): void {
    if (this.#isWriting || this.#isClosed || (this.#pending.count === 0 && this.#losses.isEmpty)) return
    if (this.#outage.isOn) this.#wakeAfter(this.#outage.pauseMs)
    else if (this.#pending.count < this.#settings.batchSize) this.#wakeAfter(this.#settings.flushIntervalMs)
    else this.#immediate ??= setImmediate(() => this.#wake())
  }

  #wakeAfter(delayMs: number): void {
    this.#timer ??= setTimeout(() => this.#wake(), delayMs).unref()
  }

  #wake(): void {
    this.#cancelWaking()
    void this.flush()
  }

  #cancelWaking(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#timer = undefined
    this.#immediate = undefined
  }

  async #writeUntil(target: number, failures: number): Promise<void> {
    if (this.#outage.failures !== failures || this.#isClosed) return
    this.#cancelWaking()
    this.#isWriting = true
    try {
      while (this.#pending.settledCount < target && !this.#isClosed) await this.#writeBatch()
      if (!this.#losses.isEmpty) await this.#losses.store((loss) => this.#exporter.exportLoss(loss))
      this.#outage.end(this.#losses.total)
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#isWriting = false
      this.#schedule()
    }
  }

  async #writeBatch(): Promise<void> {
    const records = this.#pending.peek(this.#batchLimit)
    await exportBatch(this.#exporter, records, {
      written: (count) => this.#settle(count, () => (this.#written += count)),
      deadLettered: (refusal) => this.#settle(1, () => this.#reportDeadLetter(refusal)),
      dropped: () => this.#settle(1, (drafts) => this.#drop('refused', drafts[0])),
      isStopped: () => this.#isClosed,
    })
    this.#batchLimit = Math.min(this.#settings.maxBatchSize, this.#batchLimit * 2)
  }

  // After the deadline of close() the records have been counted as lost already, whatever a late answer says.
  #settle(count: number, account: (drafts: DraftRecord[]) => void): void {
    if (!this.#isClosed) account(this.#pending.settle(count))
  }

  // A smaller batch next time: a slow connection may carry that within its time limit.
  #fail(error: unknown): void {
    if (this.#isClosed) return
    this.#batchLimit = Math.max(Math.min(smallestBatch, this.#settings.maxBatchSize), this.#batchLimit >> 1)
    const { maxMemoryMb } = this.#settings
    const memoryMb = this.#pending.bytes / 1024 / 1024
    this.#outage.fail(error, { pending: this.#pending.count, memoryMb, maxMemoryMb })
  }

  #reportDeadLetter(refusal: ExportError): void {
    this.#deadLettered += 1
    if (!this.#mayLog('dead letter')) return
    const fields = { reason: refusal.reason, deadLettered: this.#deadLettered }
    const message = `${this.#exporter.name} refused a usage row: ${refusal.message}. It is kept whole among the dead letters`
    this.#diagnostics.error(fields, message)
  }

  #drop(reason: LossReason, draft?: DraftRecord): void {
    this.#losses.add(reason, draft)
    if (!this.#mayLog(reason)) return
    const message = `a usage row was lost (${reason}); ${this.#losses.total} so far, each counted`
    this.#diagnostics.error({ reason, dropped: this.#losses.total }, message)
  }

  async #close(timeoutMs: number): Promise<void> {
    await this.drain(timeoutMs)
    this.#isClosed = true
    this.#cancelWaking()
    this.#dropRest()
    await Promise.race([
      this.#exporter.close().catch(() => undefined),
      sleep(exporterCloseMs, undefined, { ref: false }),
    ])
  }

  async #drainUntil(deadline: number, signal: AbortSignal): Promise<void> {
    while (performance.now() < deadline) {
      await this.flush()
      if (!this.#hasStore || (this.#pending.count === 0 && this.#losses.isEmpty)) return
      const pauseMs = this.#outage.isOn ? Math.min(this.#outage.pauseMs, longestPauseInDrainMs) : 0
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
    }
  }

  #dropRest(): void {
    const rest = this.#pending.settle(this.#pending.count)
    for (const draft of rest) this.#losses.add('closed', draft)
    if (rest.length === 0) return
    const message = `closed before ${this.#exporter.name} took ${rest.length} usage rows: they are lost`
    this.#diagnostics.error({ lost: rest.length }, message)
  }
}
