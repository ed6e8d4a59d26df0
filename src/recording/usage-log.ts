import { type CallerIdentity, type DraftRecord, draftRecord } from '../usage/draft-record.js'
import type { UsageEntry } from '../usage/usage-record.js'
import type { BatchProcessor } from './batch-processor.js'
import type { WriteObserver } from './batch-writer.js'
import type { DiagnosticLogger } from './diagnostics.js'
import { toTimeoutMs } from './drain.js'
import { OpenCalls } from './open-calls.js'
import type { LastError } from './outage.js'
import { watchProcessExit } from './process-exit.js'
import type { RequestContext, RequestContexts } from './request-context.js'
import type { CapturedCall, OnAbort, OpenCall, UsageRecorder } from './usage-recorder.js'

/**
 * `running`: rows are written. `retrying`: the last write failed and is tried again. `misconfigured`: somebody has to
 * change a setting or the database first; rows are kept meanwhile. `disabled`, `closed`: rows are not taken.
 */
export type UsageLoggerState = 'disabled' | 'running' | 'retrying' | 'misconfigured' | 'closed'

/** Counts of this process; always `accepted = written + pending + spooled + deadLettered + dropped`. */
export type UsageLoggerStats = {
  readonly state: UsageLoggerState
  /** Rows that were logged, and those that were recovered. */
  readonly accepted: number
  /** Rows that ended processes left in the spool and this one took over. */
  readonly recovered: number
  /** Rows the store has acknowledged, one that was there already included. */
  readonly written: number
  /** Rows in memory. */
  readonly pending: number
  /** Rows on disk that are not in memory. */
  readonly spooled: number
  readonly deadLettered: number
  readonly dropped: number
  readonly droppedByReason: Readonly<Record<string, number>>
  /** Failed writes. */
  readonly retries: number
  readonly lastError: LastError | undefined
}

/** An image request; its counts are fixed. */
export type ImageEntry = Omit<UsageEntry, 'inputTokens' | 'outputTokens' | 'requestType' | 'usageSource'>

export type UsageLogParts = {
  readonly processor: BatchProcessor
  readonly contexts: RequestContexts
  readonly diagnostics: DiagnosticLogger
  readonly settings: { readonly onAbort: OnAbort; readonly streamTimeoutMs: number }
}

const drainBeforeExitMs = 10_000
const writingShare = 0.2
const nobody: CallerIdentity = {}
const imageFields = { inputTokens: 1, outputTokens: 1, requestType: 'image', usageSource: 'fixed' } as const

/** Takes usage records from the application and from capture, and hands them to the batch processor. */
export class UsageLog implements UsageRecorder {
  readonly diagnostics: DiagnosticLogger
  readonly onAbort: OnAbort
  readonly #processor: BatchProcessor
  readonly #contexts: RequestContexts
  readonly #openCalls: OpenCalls
  readonly #forgetExit: () => void
  #closing: Promise<void> | undefined

  constructor({ processor, contexts, diagnostics, settings }: UsageLogParts) {
    this.#processor = processor
    this.#contexts = contexts
    this.diagnostics = diagnostics
    this.onAbort = settings.onAbort
    this.#openCalls = new OpenCalls(settings.streamTimeoutMs)
    this.#forgetExit = watchProcessExit({
      hasPending: () => processor.hasWork || this.#openCalls.count > 0,
      drain: () => {
        this.#openCalls.giveUpAll()
        return processor.drain(drainBeforeExitMs)
      },
      reportUnwritten: () => this.#reportUnwritten(),
    })
  }

  log(entry: UsageEntry): void {
    this.#record(entry, this.#contexts.current)
  }

  /** An image request counts 1 and 1, whatever the entry says. */
  logImage(entry: ImageEntry): void {
    this.#record(entry, this.#contexts.current, imageFields)
  }

  startCall(call: OpenCall): (captured: CapturedCall) => void {
    const context = this.#contexts.current
    this.#openCalls.add(call)
    return (captured) => {
      this.#openCalls.delete(call)
      this.#record(captured, context)
    }
  }

  observeWrites(observer: WriteObserver): void {
    this.#processor.observeWrites(observer)
  }

  flush(): Promise<void> {
    return this.#processor.flush()
  }

  /** Waits for calls to end for four fifths of `timeoutMs`, and has the rest of it for writing. Never rejects. */
  close(timeoutMs?: number): Promise<void> {
    this.#closing ??= this.#close(toTimeoutMs(timeoutMs))
    return this.#closing
  }

  stats(): UsageLoggerStats {
    const { isFailing, isClosed, ...counts } = this.#processor.stats()
    const failing = counts.lastError?.kind === 'configuration' ? 'misconfigured' : 'retrying'
    return { state: isClosed ? 'closed' : isFailing ? failing : 'running', ...counts }
  }

  async #close(timeoutMs: number): Promise<void> {
    const endAt = performance.now() + timeoutMs
    const waitUntil = endAt - timeoutMs * writingShare
    // A call may begin while the rows of those before it are written.
    do {
      await this.#openCalls.ended(waitUntil - performance.now())
      this.#openCalls.giveUpAll()
      await this.#processor.drain(endAt - performance.now())
    } while (this.#openCalls.count > 0 && performance.now() < endAt)
    this.#openCalls.giveUpAll()
    await this.#processor.close(endAt - performance.now())
    this.#forgetExit()
  }

  #record(entry: object, context: RequestContext | undefined, fixed?: Partial<DraftRecord>): void {
    try {
      const identity = context?.identity
      if (identity?.skip) return
      const asGiven = draftRecord(entry, identity ?? nobody, Date.now())
      const draft = fixed === undefined ? asGiven : { ...asGiven, ...fixed }
      this.#processor.push(draft)
      context?.add(draft)
    } catch {
      this.#processor.refuseEntry()
    }
  }

  #reportUnwritten(): void {
    this.#openCalls.giveUpAll()
    const { spooled, lost } = this.#processor.end()
    const ends = (rows: number) => `the process ends with ${rows} usage rows not written`
    const advice = 'await usage.close() before the process ends'
    if (lost > 0) this.diagnostics.error({ lost }, `${ends(lost)}: they are lost; ${advice}`)
    if (spooled > 0) this.diagnostics.warn({ spooled }, `${ends(spooled)}: they wait in the spool for the next start`)
  }
}
