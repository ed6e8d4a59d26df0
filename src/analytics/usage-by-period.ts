import type { z } from 'zod'
import { sumUsage } from './sum-usage.js'
import { usageGroupQuerySchema } from './usage-by.js'
import { type UsagePeriod, usageDimensionSchema, usagePeriodSchema } from './usage-query.js'
import { parseInput, readReport, type UsageReader } from './usage-reader.js'
import type { UsageGroup, UsageRange } from './usage-sums.js'

/** A query of a series, which may be told apart by user, model, ... as well. */
export const usageSeriesQuerySchema = usageGroupQuerySchema.extend({ by: usageDimensionSchema.optional() })
export type UsageSeriesQuery = Readonly<z.input<typeof usageSeriesQuerySchema>>

export type UsageSeries = {
  readonly range: UsageRange
  readonly period: UsagePeriod
  /** By time, then the groups in their order. A period without calls has no line. */
  readonly points: readonly UsageGroup[]
}

/** Usage over time: tokens by type and cost of each hour, day, ISO week or month of the reporting zone. */
export async function getUsageByPeriod(
  reader: UsageReader,
  period: UsagePeriod,
  query: UsageSeriesQuery = {},
): Promise<UsageSeries> {
  const length = parseInput(usagePeriodSchema, period)
  const { by, limit, order, ...rest } = parseInput(usageSeriesQuerySchema, query)
  return readReport(reader, rest, async ({ read, scope }) => ({
    range: scope.range,
    period: length,
    points: await sumUsage(read, scope, { period: length, by, limit, order }),
  }))
}
