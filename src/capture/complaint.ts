import { TokenLedgerError } from '../errors.js'
import { createLineLimiter } from '../recording/diagnostics.js'
import type { UsageRecorder } from '../recording/usage-recorder.js'

/** A function that says in the log that a call could not be observed and why, each reason once a minute at most. */
export function createComplaint(recorder: UsageRecorder): (error: unknown) => void {
  const mayComplain = createLineLimiter()
  return (error) => {
    // An error's own message may quote what could not be read, so only ours are passed on.
    const reason = error instanceof TokenLedgerError ? error.message : 'observing it failed'
    const name = error instanceof Error ? error.name : typeof error
    if (!mayComplain(reason)) return
    recorder.diagnostics.warn({ error: name }, `the usage of a model call is unknown: ${reason}; the call went on`)
  }
}
