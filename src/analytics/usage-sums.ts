/**
 * What a set of calls adds up to. Unknown is not zero: a sum without any known part is null, and the counts of unknown and
 * unpriced calls say what the others leave out. Counts are exact to 9,007,199,254,740,991; amounts are decimal texts.
 */
export type UsageSums = {
  readonly requests: number
  /** Cache reads and writes included. Null where no call's counts are known. */
  readonly inputTokens: number | null
  /** Reasoning included. Null where no call's counts are known. */
  readonly outputTokens: number | null
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  readonly reasoningTokens: number
  /** US dollars, exact: `0.00000012`. Null where no call has a price. */
  readonly costUsd: string | null
  /** Parts of `costUsd`, as far as they are told apart. */
  readonly inputCostUsd: string
  readonly outputCostUsd: string
  readonly otherCostUsd: string
  /** Calls without a cost: not in `costUsd`, and not free. */
  readonly unpriced: number
  /** Calls whose token counts nobody knows. */
  readonly unknown: number
  readonly aborted: number
  readonly failed: number
  /** Of the priced calls, to 12 decimal places. Null where there is none. */
  readonly costPerCallUsd: string | null
  /** Input and output tokens of a call whose counts are known. Null where there is none. */
  readonly tokensPerCall: number | null
  /** Output tokens for each input token. Null without input. */
  readonly outputPerInput: number | null
  /** Share of the input that came from a cache, 0 to 1. Null without input. */
  readonly cacheHitRate: number | null
  /** Share of the calls that ended with an error, 0 to 1. Null without calls. */
  readonly errorRate: number | null
  /** Share of the calls that were broken off, 0 to 1. Null without calls. */
  readonly abortRate: number | null
}

/** The sums of one group, or of one period of it. */
export type UsageGroup = UsageSums & {
  /** First day of the period in the reporting zone, or the instant an hour begins at; null where there are no periods. */
  readonly period: string | null
  /** The user, model, ...: empty where the calls name none, null for all groups beyond the limit together. */
  readonly group: string | null
  /** Of a model: the provider it was called at. Null for other groups. */
  readonly provider: string | null
}

/** The range that a report is about, as it was understood. */
export type UsageRange = {
  readonly timeZone: string
  /** Days of the reporting zone, both included. Null where that end is open, or the range is one of instants. */
  readonly firstDay: string | null
  readonly lastDay: string | null
  /** Instants in ISO 8601, the second one not included. Null where that end is open, or the range is one of days. */
  readonly from: string | null
  readonly to: string | null
}
