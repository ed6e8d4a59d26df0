import PQueue from 'p-queue'
import type { ExportError } from '../errors.js'
import { type DraftRecord, withOwnTexts } from '../usage/draft-record.js'
import { BatchWriter, type WriteObserver } from './batch-writer.js'
import type { DiagnosticLogger } from './diagnostics.js'
import { drain, within } from './drain.js'
import type { UsageExporter } from './exporter.js'
import { type LeftOver, reportLeftOver } from './left-over.js'
import { Losses } from './losses.js'
import { Outage } from './outage.js'
import { PendingRecords } from './pending-records.js'
import type { RecordSource } from './record-source.js'
import type { Backlog } from './spool/backlog.js'
import { openSpool, type Spool, type SpoolSettings } from './spool/spool.js'
import { WakeUp } from './wake-up.js'

export type BatchProcessorSettings = {
  /** Rows that trigger a write. */
  readonly batchSize: number
  /** Rows of one write at most. */
  readonly maxBatchSize: number
  readonly flushIntervalMs: number
  readonly maxMemoryMb: number
  /** Where rows are kept on disk until they are written; in memory only, if left out. */
  readonly spool?: SpoolSettings | undefined
}

type Target = { readonly pending: number; readonly backlog: number }

const exporterCloseMs = 100

/**
 * Takes records at once and writes them in batches, one write at a time.
 *
 * Pending records are written when there are `batchSize` of them or `flushIntervalMs` after the first; while a write
 * runs, the next ones pile up and go out together after it. A write that fails leaves its records where they were: the
 * next try comes after a pause and sends the same rows with the same ids. Only a record that finds no room, neither in
 * memory nor in the spool, or that nothing would take, is dropped, and is then counted as a loss.
 */
export class BatchProcessor {
  readonly #settings: BatchProcessorSettings
  readonly #exporter: UsageExporter
  readonly #diagnostics: DiagnosticLogger
  readonly #pending: PendingRecords
  readonly #spool: Spool | undefined
  readonly #losses: Losses
  readonly #outage: Outage
  readonly #writer: BatchWriter
  readonly #writes = new PQueue({ concurrency: 1 })
  readonly #wakeUp = new WakeUp(() => void this.flush())
  #accepted = 0
  #isWriting = false
  #isClosed = false
  #hasStore = true
  #abandonWrite: () => void = () => {}
  #closing: Promise<void> | undefined

  constructor(settings: BatchProcessorSettings, exporter: UsageExporter, diagnostics: DiagnosticLogger) {
    this.#settings = settings
    this.#exporter = exporter
    this.#diagnostics = diagnostics
    this.#outage = new Outage(exporter.name, diagnostics)
    this.#losses = new Losses({ maxMemoryMb: settings.maxMemoryMb, storeName: exporter.name }, diagnostics)
    this.#writer = new BatchWriter(settings.maxBatchSize, { exporter, losses: this.#losses, diagnostics })
    this.#pending = new PendingRecords(settings.maxMemoryMb * 1024 * 1024)
    this.#spool = openSpool(settings.spool, {
      pending: this.#pending,
      diagnostics,
      onLost: (reason, count) => this.#losses.dropMany(reason, count),
      onOrphans: () => this.#schedule(),
    })
    this.#schedule()
  }

  /** Takes a record or, where there is no room, counts its loss. Never throws, never waits. */
  push(draft: DraftRecord): void {
    this.#accepted += 1
    if (this.#isClosed) this.#losses.drop('closed', draft)
    else if (!this.#pending.push(this.#outage.isOn ? withOwnTexts(draft) : draft)) this.#spill(draft)
    else {
      this.#spool?.requestWrite()
      if (!this.#wakeUp.hasTimer || this.#pending.count === this.#settings.batchSize) this.#schedule()
    }
  }

  /** Counts an entry of which nothing could be read. */
  refuseEntry(): void {
    this.#accepted += 1
    this.#losses.drop('unreadable_entry')
    this.#schedule()
  }

  /** There is no store to write to, and nothing that happens to this process will give it one: no write is tried. */
  reportMissingStore(error: ExportError): void {
    this.#hasStore = false
    this.#outage.begin(error)
    const kept = this.#spool
      ? 'Rows are kept in the spool until a process with the same spool has a database'
      : `Rows are kept in memory, up to ${this.#settings.maxMemoryMb} MB, and are lost when this process ends`
    this.#diagnostics.error({ reason: error.reason }, `no usage rows are written: ${error.message}. ${kept}`)
  }

  /** Resolves when what waits now, in memory or on disk, is settled, when a try to write it has failed, or when `close()` gives up. Never rejects. */
  async flush(): Promise<void> {
    if (!this.#hasStore) return
    const target = { pending: endOf(this.#pending), backlog: this.#spool ? endOf(this.#spool.backlog) : 0 }
    const failures = this.#outage.failures
    await this.#writes.add(() => this.#writeUntil(target, failures))
  }

  /** Writes until nothing of this process is left, trying again for `timeoutMs` at most; 25 seconds where that is no number. Never rejects. */
  drain(timeoutMs?: number): Promise<void> {
    const isDrained = () => !this.#hasStore || !this.hasWork
    const pauseMs = () => (this.#outage.isOn ? this.#outage.pauseMs : 0)
    return drain({ flush: () => this.flush(), isDrained, pauseMs }, timeoutMs)
  }

  /** Drains, leaves what is left as `end()` does, and closes the exporter. Never rejects. */
  close(timeoutMs?: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  /**
   * Nothing is taken or written any more. What is left waits in the spool for the next start, or is counted as lost.
   * Synchronous: also for a process that ends now.
   */
  end(): LeftOver {
    if (this.#isClosed) return { spooled: 0, lost: 0 }
    this.#isClosed = true
    this.#writer.stop()
    this.#wakeUp.cancel()
    this.#abandonWrite()
    const lost = this.#spool ? this.#spool.leave() : this.#pending.abandon()
    for (const draft of lost) this.#losses.add('closed', draft)
    return { spooled: this.#spool?.count ?? 0, lost: lost.length }
  }

  /** `observer` hears of each write that the store acknowledges from now on. */
  observeWrites(observer: WriteObserver): void {
    this.#writer.observe(observer)
  }

  /** Whether there is anything to write: rows of this process, or counts of lost ones. */
  get hasWork(): boolean {
    return this.#pending.count > 0 || !this.#losses.isEmpty || (this.#spool?.backlog.count ?? 0) > 0
  }

  stats() {
    return {
      isFailing: this.#outage.isOn,
      isClosed: this.#isClosed,
      accepted: this.#accepted + (this.#spool?.backlog.takenOver ?? 0),
      recovered: this.#spool?.backlog.takenOver ?? 0,
      written: this.#writer.written,
      pending: this.#pending.count,
      spooled: this.#spool?.count ?? 0,
      deadLettered: this.#writer.deadLettered,
      dropped: this.#losses.total,
      droppedByReason: this.#losses.byReason,
      retries: this.#outage.failures,
      lastError: this.#outage.lastError,
    }
  }

  #spill(draft: DraftRecord): void {
    if (!this.#spool?.spill(draft)) this.#losses.drop(this.#spool ? 'spool_full' : 'memory_full', draft)
  }

  #schedule(): void {
    const hasBacklog = this.#spool?.backlog.isWaiting ?? false
    if (this.#isWriting || this.#isClosed || !this.#hasStore || !(this.hasWork || hasBacklog)) return
    if (this.#outage.isOn) this.#wakeUp.after(this.#outage.pauseMs)
    else if (hasBacklog || this.#pending.count >= this.#settings.batchSize) this.#wakeUp.nextTurn()
    else this.#wakeUp.after(this.#settings.flushIntervalMs)
  }

  async #writeUntil(target: Target, failures: number): Promise<void> {
    if (this.#outage.failures !== failures || this.#isClosed) return
    this.#wakeUp.cancel()
    this.#isWriting = true
    void this.#pending.makeRowsWhile(() => this.#isWriting)
    try {
      await this.#unlessAbandoned(this.#write(target))
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#isWriting = false
      this.#schedule()
    }
  }

  async #write(target: Target): Promise<void> {
    for (let end = target.pending; this.#pending.settledCount < end && !this.#isClosed; ) {
      // Rows that were put behind others are still to be settled.
      if ((await this.#writeBatch(this.#pending)) > 0) end = endOf(this.#pending)
    }
    if (this.#spool) await this.#writeBacklog(this.#spool.backlog, target.backlog)
    if (!this.#losses.isEmpty && !this.#isClosed) await this.#losses.store((loss) => this.#exporter.exportLoss(loss))
    if (!this.#isClosed) this.#outage.end(this.#losses.total)
  }

  // New rows do not wait until a long backlog is written.
  async #writeBacklog(backlog: Backlog, target: number): Promise<void> {
    while (backlog.isWaiting && !this.#isClosed) {
      const deferred = await this.#writeBatch(backlog)
      if (backlog.settledCount >= target) return
      if (deferred > 0 || this.#pending.count >= this.#settings.batchSize) await this.#writeBatch(this.#pending)
    }
  }

  // A store may hang. Whoever waits for it is set free when close() gives up.
  #unlessAbandoned(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#abandonWrite = resolve
      work.then(resolve, reject)
    })
  }

  async #writeBatch(source: RecordSource): Promise<number> {
    const deferred = await this.#writer.write(source)
    this.#outage.easeOff()
    return deferred
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return
    if (!this.#outage.isOn) this.#pending.copyTexts()
    this.#writer.shrink()
    this.#outage.fail(error, {
      pending: this.#pending.count,
      spooled: this.#spool?.count ?? 0,
      memoryMb: this.#pending.bytes / 1024 / 1024,
      maxMemoryMb: this.#settings.maxMemoryMb,
    })
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    this.#spool?.stopTakingOver()
    await this.drain(timeoutMs)
    reportLeftOver(this.end(), this.#exporter.name, this.#diagnostics)
    const closing = Promise.resolve().then(() => this.#exporter.close())
    await within(exporterCloseMs, Promise.allSettled([closing, this.#spool?.finishSync()]))
  }
}

function endOf(source: RecordSource): number {
  return source.settledCount + source.count
}
