import type { CallerIdentity } from '../usage/draft-record.js'
import { draftRecord } from '../usage/draft-record.js'
import type { UsageEntry } from '../usage/usage-record.js'
import type { BatchProcessor } from './batch-processor.js'
import type { DiagnosticLogger } from './diagnostics.js'
import type { LastError } from './outage.js'
import { watchProcessExit } from './process-exit.js'
import type { RequestContext, RequestContexts } from './request-context.js'
import type { CapturedCall, UsageRecorder } from './usage-recorder.js'

/**
 * `running`: rows are written. `retrying`: the last write failed and is tried again. `misconfigured`: somebody has to
 * change a setting or the database first; rows are kept meanwhile. `disabled`, `closed`: rows are not taken.
 */
export type UsageLoggerState = 'disabled' | 'running' | 'retrying' | 'misconfigured' | 'closed'

/** Counts of this process; always `accepted = written + pending + spooled + deadLettered + dropped`. */
export type UsageLoggerStats = {
  readonly state: UsageLoggerState
  readonly accepted: number
  /** Rows the store has acknowledged, one that was there already included. */
  readonly written: number
  readonly pending: number
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

const drainBeforeExitMs = 10_000
const nobody: CallerIdentity = {}

/** Takes usage records from the application and from capture, and hands them to the batch processor. */
export class UsageLog implements UsageRecorder {
  readonly diagnostics: DiagnosticLogger
  readonly #processor: BatchProcessor
  readonly #contexts: RequestContexts
  readonly #forgetExit: () => void

  constructor(processor: BatchProcessor, contexts: RequestContexts, diagnostics: DiagnosticLogger) {
    this.#processor = processor
    this.#contexts = contexts
    this.diagnostics = diagnostics
    this.#forgetExit = watchProcessExit({
      hasPending: () => processor.stats().pending > 0,
      drain: () => processor.drain(drainBeforeExitMs),
      reportUnwritten: () => this.#reportUnwritten(),
    })
  }

  log(entry: UsageEntry): void {
    this.#record(entry, this.#contexts.current)
  }

  /** An image request counts 1 and 1, whatever the entry says. */
  logImage(entry: ImageEntry): void {
    try {
      const fixed = { inputTokens: 1, outputTokens: 1, requestType: 'image', usageSource: 'fixed' } as const
      this.#record({ ...entry, ...fixed }, this.#contexts.current)
    } catch {
      this.#processor.refuseEntry()
    }
  }

  startCall(): (call: CapturedCall) => void {
    const context = this.#contexts.current
    return (call) => this.#record(call, context)
  }

  flush(): Promise<void> {
    return this.#processor.flush()
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#processor.close(timeoutMs)
    this.#forgetExit()
  }

  stats(): UsageLoggerStats {
    const { isFailing, isClosed, ...counts } = this.#processor.stats()
    const failing = counts.lastError?.kind === 'configuration' ? 'misconfigured' : 'retrying'
    return { state: isClosed ? 'closed' : isFailing ? failing : 'running', spooled: 0, ...counts }
  }

  #record(entry: object, context: RequestContext | undefined): void {
    try {
      const identity = context?.identity
      if (identity?.skip) return
      const draft = draftRecord(entry, identity ?? nobody, Date.now())
      this.#processor.push(draft)
      context?.add(draft)
    } catch {
      this.#processor.refuseEntry()
    }
  }

  #reportUnwritten(): void {
    const { pending } = this.#processor.stats()
    const advice = 'await usage.close() before the process ends'
    this.diagnostics.error(
      { lost: pending },
      `the process ends with ${pending} usage rows not written: they are lost; ${advice}`,
    )
  }
}
