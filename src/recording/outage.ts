import { ExportError, type ExportErrorKind } from '../errors.js'
import { createLineLimiter, type DiagnosticLogger } from './diagnostics.js'

/** The last failed write. `message` is ours: a store's own words may hold values of rows. */
export type LastError = {
  readonly at: Date
  readonly kind: ExportErrorKind
  readonly reason: string
  readonly message: string
}

/** What a line about an outage tells of the records meanwhile. */
export type OutageFigures = {
  readonly pending: number
  readonly memoryMb: number
  readonly maxMemoryMb: number
}

const firstPauseMs = 200
const longestPauseMs = 30_000
const configurationPauseMs = 60_000

/**
 * Follows the store through failures: how long to wait before the next try, and what a person needs to be told.
 *
 * A passing failure is tried again after a random pause whose bound doubles from 0.2 to 30 seconds; a configuration
 * failure after 60 seconds. One line is written at the first failure, one a minute while it lasts, and one at its end.
 */
export class Outage {
  readonly #storeName: string
  readonly #diagnostics: DiagnosticLogger
  readonly #mayLog = createLineLimiter()
  #since: number | undefined
  #droppedAtEnd = 0
  #failuresInRow = 0
  #failures = 0
  #retryAt = 0
  #lastError: LastError | undefined

  constructor(storeName: string, diagnostics: DiagnosticLogger) {
    this.#storeName = storeName
    this.#diagnostics = diagnostics
  }

  get isOn(): boolean {
    return this.#since !== undefined
  }

  /** Failed writes so far. */
  get failures(): number {
    return this.#failures
  }

  get lastError(): LastError | undefined {
    return this.#lastError
  }

  /** Milliseconds until the next try. */
  get pauseMs(): number {
    return Math.max(0, this.#retryAt - performance.now())
  }

  /** A write failed. An error that the exporter did not classify counts as passing: nothing is given up for it. */
  fail(error: unknown, figures: OutageFigures): void {
    const failure =
      error instanceof ExportError ? error : new ExportError('passing', 'unknown', 'the write failed', { cause: error })
    this.#since ??= performance.now()
    this.#failures += 1
    this.#failuresInRow += 1
    const pauseMs = pauseAfter(failure.kind, this.#failuresInRow)
    this.#retryAt = performance.now() + pauseMs
    this.#lastError = { at: new Date(), kind: failure.kind, reason: failure.reason, message: failure.message }
    if (this.#mayLog(failure.kind)) this.#report(failure, figures, pauseMs)
  }

  /** A write succeeded. */
  end(dropped: number): void {
    if (this.#since === undefined) return
    const seconds = ((performance.now() - this.#since) / 1000).toFixed(1)
    const lost = dropped - this.#droppedAtEnd
    this.#since = undefined
    this.#failuresInRow = 0
    this.#droppedAtEnd = dropped
    const loss =
      lost === 0 ? 'nothing was lost' : `${lost} usage rows found no room and were lost, and are counted as such`
    this.#diagnostics.info({ lost }, `${this.#storeName} takes usage rows again after ${seconds} s: ${loss}`)
  }

  #report(failure: ExportError, figures: OutageFigures, pauseMs: number): void {
    const { pending, memoryMb, maxMemoryMb } = figures
    const kept = `${pending} usage rows are kept in memory (${memoryMb.toFixed(1)} of ${maxMemoryMb} MB)`
    const next = `next try in ${(pauseMs / 1000).toFixed(1)} s`
    const fields = { kind: failure.kind, reason: failure.reason, pending, failures: this.#failures }
    if (failure.kind === 'configuration') {
      this.#diagnostics.error(
        fields,
        `${this.#storeName} takes no usage rows: ${failure.message}. ${kept} until that is changed; ${next}`,
      )
    } else {
      this.#diagnostics.warn(
        fields,
        `${this.#storeName} takes no usage rows: ${failure.message}. ${kept} and will be written; ${next}`,
      )
    }
  }
}

function pauseAfter(kind: ExportErrorKind, failuresInRow: number): number {
  if (kind === 'configuration') return configurationPauseMs
  return 50 + Math.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failuresInRow, 20))
}
