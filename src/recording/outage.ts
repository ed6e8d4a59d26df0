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
  /** On disk only. */
  readonly spooled: number
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
  #isReported = false
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
    const failure = error instanceof ExportError ? error : unclassified(error)
    this.begin(failure)
    this.#failures += 1
    this.#failuresInRow += 1
    const pauseMs = pauseAfter(failure.kind, this.#failuresInRow)
    this.#retryAt = performance.now() + pauseMs
    if (this.#mayLog(failure.kind)) this.#report(failure, figures, pauseMs)
  }

  /** From now on the store takes nothing, for this reason; nothing is said of it. */
  begin(failure: ExportError): void {
    this.#since ??= performance.now()
    this.#lastError = { at: new Date(), kind: failure.kind, reason: failure.reason, message: failure.message }
  }

  /** Some rows were taken: should the next write fail, the pauses begin short again. */
  easeOff(): void {
    this.#failuresInRow = 0
  }

  /** Everything was taken. Nothing is said of the end of an outage of whose beginning nothing was said. */
  end(dropped: number): void {
    const lost = dropped - this.#droppedAtEnd
    const since = this.#isReported ? this.#since : undefined
    this.#droppedAtEnd = dropped
    this.#failuresInRow = 0
    this.#isReported = false
    this.#since = undefined
    if (since === undefined) return
    const seconds = ((performance.now() - since) / 1000).toFixed(1)
    const loss = lost === 0 ? 'nothing was lost' : `${lost} usage rows were lost meanwhile; their number is stored`
    this.#diagnostics.info({ lost }, `${this.#storeName} takes usage rows again after ${seconds} s: ${loss}`)
  }

  #report(failure: ExportError, figures: OutageFigures, pauseMs: number): void {
    this.#isReported = true
    const { pending, spooled, memoryMb, maxMemoryMb } = figures
    const onDisk = spooled > 0 ? ` and ${spooled} in the spool` : ''
    const kept = `${pending} usage rows are kept in memory (${memoryMb.toFixed(1)} of ${maxMemoryMb} MB)${onDisk}`
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

// Its message may hold values of rows; its class says enough.
function unclassified(error: unknown): ExportError {
  const name = error instanceof Error && error.name !== 'Error' ? error.name : 'unknown'
  return new ExportError('passing', name, `the write failed (${name})`, { cause: error })
}

function pauseAfter(kind: ExportErrorKind, failuresInRow: number): number {
  if (kind === 'configuration') return configurationPauseMs
  return 50 + Math.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failuresInRow, 20))
}
