import { totalUsage } from './sum-usage.js'
import type { UsageQuery } from './usage-query.js'
import { readReport, type UsageReader } from './usage-reader.js'
import type { UsageRange, UsageSums } from './usage-sums.js'

/** Change of each figure against the period before: 0.1 is 10 % more. Null where there is nothing to compare with, or it was zero. */
export type UsageChange = { readonly [Figure in (typeof comparedFigures)[number]]: number | null }

export type UsageTotals = {
  readonly range: UsageRange
  readonly totals: UsageSums
  /** The period of the same length just before; null where the range has no beginning. */
  readonly previous: { readonly range: UsageRange; readonly totals: UsageSums } | null
  readonly change: UsageChange
}

const comparedFigures = [
  'requests',
  'inputTokens',
  'outputTokens',
  'cacheReadTokens',
  'costUsd',
  'aborted',
  'failed',
] as const

/** What all calls of a range add up to, with the change against the period before. */
export async function getUsageTotals(reader: UsageReader, query: UsageQuery = {}): Promise<UsageTotals> {
  return readReport(reader, query, async ({ read, scope, previous }) => {
    const totals = await totalUsage(read, scope)
    const before = previous && { range: previous.range, totals: await totalUsage(read, previous) }
    return { range: scope.range, totals, previous: before ?? null, change: compare(totals, before?.totals) }
  })
}

function compare(now: UsageSums, before: UsageSums | undefined): UsageChange {
  const changes = comparedFigures.map((figure) => [figure, changeOf(now[figure], before?.[figure])])
  return Object.fromEntries(changes)
}

function changeOf(now: number | string | null, before: number | string | null | undefined): number | null {
  if (now === null || before === null || before === undefined || Number(before) === 0) return null
  return (Number(now) - Number(before)) / Number(before)
}
