import type { UsageDimension, UsageOrder, UsagePeriod } from './usage-query.js'
import { readQueryFile, type UsageReport, type UsageScope } from './usage-reader.js'
import type { UsageGroup, UsageSums } from './usage-sums.js'

/** How calls are told apart and put in order. */
export type Grouping = {
  readonly period?: UsagePeriod | undefined
  readonly by?: UsageDimension | undefined
  /** How many groups have a line of their own; all others together have one more. All by default. */
  readonly limit?: number | undefined
  /** `cost` by default. */
  readonly order?: UsageOrder | undefined
}

const selectSums = readQueryFile('usage-sums')
const allGroups = 2_000_000_000

/** What the calls of one range add up to: the whole of it, or the periods and groups that the grouping tells apart. */
export async function sumUsage(
  read: UsageReport['read'],
  scope: UsageScope,
  { period, by, limit = allGroups, order = 'cost' }: Grouping,
): Promise<UsageGroup[]> {
  const values = [...scope.rowValues, chooseSource(scope, period, by), period, by, limit, order]
  return (await read(selectSums(), values)) as UsageGroup[]
}

/** What all calls of one range add up to. */
export async function totalUsage(read: UsageReport['read'], scope: UsageScope): Promise<UsageSums> {
  const [total] = await sumUsage(read, scope, {})
  if (total === undefined) return nothing
  const { period, group, provider, ...sums } = total
  return sums
}

// The narrowest that can tell: sums by user and day, the daily sums, or the rows.
function chooseSource({ range, filter }: UsageScope, period?: UsagePeriod, by?: UsageDimension): string {
  const isOfDays = range.from === null && range.to === null
  if (!isOfDays || period === 'hour' || filter.status !== undefined) return 'rows'
  const { user, status, ...others } = filter
  const needsNames = Object.values(others).some((name) => name !== undefined) || (by !== undefined && by !== 'user')
  return needsNames ? 'days' : 'user-days'
}

const nothing: UsageSums = {
  requests: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  costUsd: '0',
  inputCostUsd: '0',
  outputCostUsd: '0',
  otherCostUsd: '0',
  unpriced: 0,
  unknown: 0,
  aborted: 0,
  failed: 0,
  costPerCallUsd: null,
  tokensPerCall: null,
  outputPerInput: null,
  cacheHitRate: null,
  errorRate: null,
  abortRate: null,
}
