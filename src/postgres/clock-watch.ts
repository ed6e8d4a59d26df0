import type { DiagnosticLogger } from '../recording/diagnostics.js'

const toleratedMs = 10_000

/** A statement whose answer `ClockWatch` takes. */
export const selectClock = 'select (extract(epoch from clock_timestamp()) * 1000)::text as now'

/**
 * Warns, once, where the clock of this machine and that of the database differ by more than ten seconds. Nothing else
 * comes of it: rows have the times of the machines that made the calls.
 */
export class ClockWatch {
  readonly #diagnostics: DiagnosticLogger
  #hasWarned = false

  constructor(diagnostics: DiagnosticLogger) {
    this.#diagnostics = diagnostics
  }

  /** Compares the answer to statements of which `selectClock` was the last, sent `sentAt` and here now. */
  compare(answer: unknown, sentAt: number): void {
    const there = Number(Array.isArray(answer) ? answer.at(-1)?.rows?.[0]?.now : undefined)
    const here = Date.now()
    // Between sending and getting it any time is right: how long either took nobody knows.
    const skewMs = there < sentAt ? sentAt - there : there > here ? here - there : 0
    if (this.#hasWarned || Math.abs(skewMs) <= toleratedMs) return
    this.#hasWarned = true
    const seconds = Math.round(Math.abs(skewMs) / 1000)
    this.#diagnostics.warn(
      { here: new Date(here).toISOString(), there: new Date(there).toISOString() },
      `the clock of this machine is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of PostgreSQL; rows keep the time of this machine. Set it by NTP`,
    )
  }
}
