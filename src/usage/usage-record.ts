/** How a call ended: normally, with an error of the provider or the network, or broken off by our side. */
export type CallStatus = 'ok' | 'error' | 'aborted'

/**
 * Where the counts come from: the provider's final numbers, its last running numbers, an estimate from the text, a fixed
 * rule (images are 1 and 1), nowhere, the application's own entry, or an import.
 */
export type UsageSource = 'provider' | 'provider_partial' | 'estimated' | 'fixed' | 'unknown' | 'entry' | 'imported'

/** Where a cost comes from. */
export type CostSource = 'provider' | 'list' | 'override' | 'entry'

/** One model call as the application describes it to `usage.log()`. What it leaves out comes from the request context. */
export type UsageEntry = {
  readonly modelName: string
  /** Every token the model read, cache reads and writes included. */
  readonly inputTokens: number
  /** Every token the model produced, reasoning included. */
  readonly outputTokens: number
  /** `anonymous` where neither the entry nor the request context names one. At most 320 characters. */
  readonly userEmail?: string | undefined
  readonly sessionId?: string | undefined
  /** `chat` by default. */
  readonly requestType?: string | undefined
  readonly provider?: string | undefined
  readonly operation?: string | undefined
  readonly operationId?: string | undefined
  readonly project?: string | undefined
  readonly cacheReadTokens?: number | undefined
  readonly cacheWriteTokens?: number | undefined
  readonly reasoningTokens?: number | undefined
  /** US dollars, as a number or as a decimal string (`'0.00000012'`); kept to 12 decimal places. */
  readonly costEstimate?: number | string | undefined
  /** `ok` by default. */
  readonly status?: CallStatus | undefined
  /** `entry` by default. */
  readonly usageSource?: UsageSource | undefined
  readonly durationMs?: number | undefined
  readonly timeToFirstChunkMs?: number | undefined
  /** The provider's id of the answer. Kept for looking things up; never used to recognise a duplicate. */
  readonly responseId?: string | undefined
  /** The application's own JSON object: at most 8 KB, 64 keys an object and 8 levels; what exceeds that is cut off. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** When the call was made; now by default. */
  readonly timestamp?: Date | string | number | undefined
  /** Two entries with the same key are one record, whoever sends them. */
  readonly idempotencyKey?: string | undefined
}

/** One row of `token_usage_logs`: checked, bounded, acceptable to the table, and JSON all through. */
export type UsageRecord = {
  /** UUIDv7, ours; UUIDv5 of the application's idempotency key where it gave one. */
  readonly eventId: string
  /** Milliseconds since 1970, of the call and not of the write. */
  readonly timestamp: number
  readonly userEmail: string
  readonly modelName: string
  /** 0 together with `usageSource: 'unknown'` where the count is not known. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly requestType: string
  readonly sessionId: string | null
  /** US dollars as a decimal string with at most 12 places; null where the call has no price. */
  readonly costEstimate: string | null
  /** The parts of `costEstimate`, which make it up to the last digit; null where only the sum is known. */
  readonly inputCost: string | null
  readonly outputCost: string | null
  /** Fees, searches, images that are not counted in tokens. */
  readonly otherCost: string | null
  readonly costSource: CostSource | null
  readonly provider: string | null
  readonly operation: string | null
  readonly operationId: string | null
  readonly project: string | null
  readonly cacheReadTokens: number | null
  readonly cacheWriteTokens: number | null
  readonly reasoningTokens: number | null
  readonly status: CallStatus
  readonly usageSource: UsageSource
  readonly responseId: string | null
  readonly durationMs: number | null
  readonly timeToFirstChunkMs: number | null
  /** JSON text of an object. */
  readonly metadata: string | null
  /** JSON text of an object. */
  readonly rawUsage: string | null
}
