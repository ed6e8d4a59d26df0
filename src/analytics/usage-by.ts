import { z } from 'zod'
import { sumUsage, totalUsage } from './sum-usage.js'
import { type UsageDimension, usageDimensionSchema, usageOrderSchema, usageQuerySchema } from './usage-query.js'
import { parseInput, readReport, type UsageReader } from './usage-reader.js'
import type { UsageGroup, UsageRange, UsageSums } from './usage-sums.js'

/** A query that also says which groups come first, and how many of them have a line of their own. */
export const usageGroupQuerySchema = usageQuerySchema.extend({
  /** 1 to 10,000; all groups by default. */
  limit: z.int().min(1).max(10_000).optional(),
  /** `cost` by default. */
  order: usageOrderSchema.optional(),
})
export type UsageGroupQuery = Readonly<z.input<typeof usageGroupQuerySchema>>

export type UsageBreakdown = {
  readonly range: UsageRange
  readonly totals: UsageSums
  /** They add up to `totals`: what is beyond the limit is the last one, whose `group` is null. */
  readonly groups: readonly UsageGroup[]
}

/** The calls of a range by user, model, provider, operation, project or request type: the top users, the top models, ... */
export async function getUsageBy(
  reader: UsageReader,
  dimension: UsageDimension,
  query: UsageGroupQuery = {},
): Promise<UsageBreakdown> {
  const by = parseInput(usageDimensionSchema, dimension)
  const { limit, order, ...rest } = parseInput(usageGroupQuerySchema, query)
  return readReport(reader, rest, async ({ read, scope }) => ({
    range: scope.range,
    totals: await totalUsage(read, scope),
    groups: await sumUsage(read, scope, { by, limit, order }),
  }))
}

/** What each operation of the application used and cost. */
export async function getOperationStats(reader: UsageReader, query: UsageGroupQuery = {}): Promise<UsageBreakdown> {
  return getUsageBy(reader, 'operation', query)
}
