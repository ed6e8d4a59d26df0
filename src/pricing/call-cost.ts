import type { CostSource, UsageRecord } from '../usage/usage-record.js'

/** What of a row decides its cost. */
export type PricedCall = Pick<
  UsageRecord,
  | 'timestamp'
  | 'provider'
  | 'modelName'
  | 'requestType'
  | 'inputTokens'
  | 'outputTokens'
  | 'cacheReadTokens'
  | 'cacheWriteTokens'
  | 'reasoningTokens'
  | 'usageSource'
  | 'status'
  | 'rawUsage'
>

/** The cost of one call in trillionths of a US dollar. The parts are null where only the sum is known, and else make it up exactly. */
export type CallCost = {
  readonly total: bigint
  readonly input: bigint | null
  readonly output: bigint | null
  /** Fees, searches, images that are not counted in tokens. */
  readonly other: bigint | null
  readonly source: CostSource
}
