import { createLineLimiter, type DiagnosticLogger } from '../recording/diagnostics.js'

const toleratedMs = 10_000

const selectClock = 'select (extract(epoch from clock_timestamp()) * 1000)::text as now'

/**
 * Warns, once, where the clock of this machine and that of the database differ by more than ten seconds. Nothing else
 * comes of it: rows have the times of the machines that made the calls.
 */
export class ClockWatch {
  readonly #diagnostics: DiagnosticLogger
  readonly #mayAsk = createLineLimiter()
  #hasWarned = false

  constructor(diagnostics: DiagnosticLogger) {
    this.#diagnostics = diagnostics
  }

  /** The statements, and once a minute one more that asks for the time: it takes a tenth of a millisecond. */
  addTo(statements: string): string {
    return !this.#hasWarned && this.#mayAsk('clock') ? `${statements}; ${selectClock}` : statements
  }

  /** Compares the time in the answer to such statements, if there is one, that were sent `sentAt` and answered now. */
  compare(answer: unknown, sentAt: number): void {
    const there = Number(Array.isArray(answer) ? answer.at(-1)?.rows?.[0]?.now : undefined)
    const here = Date.now()
    // Between sending and getting it any time is right: how long either took nobody knows.
    const skewMs = there < sentAt ? sentAt - there : there > here ? here - there : 0
    if (Math.abs(skewMs) <= toleratedMs) return
    this.#hasWarned = true
    const seconds = Math.round(Math.abs(skewMs) / 1000)
    this.#diagnostics.warn(
      { here: new Date(here).toISOString(), there: new Date(there).toISOString() },
      `the clock of this machine is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of PostgreSQL; rows keep the time of this machine. Set it by NTP`,
    )
  }
}
