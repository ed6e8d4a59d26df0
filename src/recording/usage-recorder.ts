import type { UsageEntry } from '../usage/usage-record.js'
import type { DiagnosticLogger } from './diagnostics.js'

/** One call as capture saw it: a usage entry whose counts may be unknown, with the provider's own numbers. */
export type CapturedCall = Omit<UsageEntry, 'inputTokens' | 'outputTokens' | 'metadata' | 'idempotencyKey'> & {
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly rawUsage?: Readonly<Record<string, unknown>> | null
}

/** What becomes of the counts that a stream had not told when it was broken off: estimated from its text, or unknown. */
export type OnAbort = 'estimate' | 'unknown'

/** A call that capture watches and that has no row yet. */
export interface OpenCall {
  /** By `performance.now()`, since when its answer is there and nobody asks for more of it; undefined while somebody does. */
  readonly unreadSince: number | undefined
  /** Records the call with what is known, and leaves its answer alone. Never throws. */
  giveUp(): void
}

/** The part of a usage logger that capture writes to. */
export interface UsageRecorder {
  readonly onAbort: OnAbort
  /**
   * Remembers the current request context; the returned function records one call in it, whenever and wherever it is
   * called. Both are synchronous and never throw. Until then `call` may be given up.
   */
  startCall(call: OpenCall): (captured: CapturedCall) => void
  readonly diagnostics: DiagnosticLogger
}
