import type { UsageEntry } from '../usage/usage-record.js'
import type { DiagnosticLogger } from './diagnostics.js'

/** One call as capture saw it: a usage entry whose counts may be unknown, with the provider's own numbers. */
export type CapturedCall = Omit<UsageEntry, 'inputTokens' | 'outputTokens' | 'metadata' | 'idempotencyKey'> & {
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly rawUsage?: Readonly<Record<string, unknown>> | null
}

/** The part of a usage logger that capture writes to. */
export interface UsageRecorder {
  /**
   * Remembers the current request context; the returned function records one call in it, whenever and wherever it is
   * called. Both are synchronous and never throw.
   */
  startCall(): (call: CapturedCall) => void
  readonly diagnostics: DiagnosticLogger
}
