import { sumUsage, totalUsage } from './sum-usage.js'
import type { UsageQuery } from './usage-query.js'
import { readReport, type UsageReader } from './usage-reader.js'
import type { UsageGroup, UsageRange, UsageSums } from './usage-sums.js'

export type UserStats = {
  readonly user: string
  readonly range: UsageRange
  readonly totals: UsageSums
  readonly byOperation: readonly UsageGroup[]
  readonly byModel: readonly UsageGroup[]
}

/** What one user has used: in all, by operation and by model. A user without calls has zeros and empty lists. */
export async function getUserStats(
  reader: UsageReader,
  user: string,
  query: Omit<UsageQuery, 'user'> = {},
): Promise<UserStats> {
  return readReport(reader, { ...query, user }, async ({ read, scope }) => ({
    user,
    range: scope.range,
    totals: await totalUsage(read, scope),
    byOperation: await sumUsage(read, scope, { by: 'operation' }),
    byModel: await sumUsage(read, scope, { by: 'model' }),
  }))
}
