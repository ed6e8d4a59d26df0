import { sumUsage, totalUsage } from './sum-usage.js'
import { type UsageDimension, type UsageQuery, usageDimensionSchema } from './usage-query.js'
import { parseInput, readQueryFile, readReport, type UsageReader, type UsageReport } from './usage-reader.js'
import type { UsageGroup, UsageRange, UsageSums } from './usage-sums.js'

/** Milliseconds that half, 95 % and 99 % of the calls stay within: times that calls really took. */
export type Percentiles = { readonly p50: number; readonly p95: number; readonly p99: number }

/** How long the calls of a group took. Null where no row tells. */
export type LatencyFigures = {
  readonly durationMs: Percentiles | null
  /** Calls that tell their duration. */
  readonly measured: number
  readonly timeToFirstChunkMs: Percentiles | null
  /** Calls that tell when their first chunk came: streams. */
  readonly measuredFirstChunks: number
}

export type LatencyGroup = LatencyFigures & {
  /** Null where all calls are one group. */
  readonly group: string | null
  /** Of a model: the provider it was called at. */
  readonly provider: string | null
}

export type Latencies = { readonly range: UsageRange; readonly groups: readonly LatencyGroup[] }

export type ProviderComparison = {
  readonly range: UsageRange
  readonly totals: UsageSums
  readonly providers: readonly (UsageGroup & LatencyFigures)[]
}

type LatencyRow = {
  readonly group: string | null
  readonly provider: string | null
  readonly measured: number
  readonly durationMs: readonly number[] | null
  readonly measuredFirstChunks: number
  readonly timeToFirstChunkMs: readonly number[] | null
}

const selectLatencies = readQueryFile('call-latencies')
const nothingMeasured: LatencyFigures = {
  durationMs: null,
  measured: 0,
  timeToFirstChunkMs: null,
  measuredFirstChunks: 0,
}

/**
 * How long calls took, of all of them or by a dimension; of the calls that ended well, unless the query asks for another
 * status. Reads every row of the range.
 */
export async function getLatencies(
  reader: UsageReader,
  dimension: UsageDimension | undefined,
  query: UsageQuery = {},
): Promise<Latencies> {
  const by = parseInput(usageDimensionSchema.optional(), dimension)
  return readReport(reader, query, async (report) => ({
    range: report.scope.range,
    groups: await readLatencies(report, by),
  }))
}

/** What each provider cost and used for a call, how long it took, and how often it failed. */
export async function compareProviders(reader: UsageReader, query: UsageQuery = {}): Promise<ProviderComparison> {
  return readReport(reader, query, async (report) => {
    const { read, scope } = report
    const totals = await totalUsage(read, scope)
    const groups = await sumUsage(read, scope, { by: 'provider' })
    const latencies = new Map(
      (await readLatencies(report, 'provider')).map(({ group, provider, ...figures }) => [group, figures]),
    )
    const providers = groups.map((group) => ({ ...group, ...(latencies.get(group.group) ?? nothingMeasured) }))
    return { range: scope.range, totals, providers }
  })
}

async function readLatencies({ read, scope }: UsageReport, by: UsageDimension | undefined): Promise<LatencyGroup[]> {
  const rows = (await read(selectLatencies(), [...scope.rowValues, by])) as LatencyRow[]
  return rows.map((row) => ({
    ...row,
    durationMs: toPercentiles(row.durationMs),
    timeToFirstChunkMs: toPercentiles(row.timeToFirstChunkMs),
  }))
}

function toPercentiles(values: readonly number[] | null): Percentiles | null {
  const [p50, p95, p99] = values ?? []
  return p50 === undefined || p95 === undefined || p99 === undefined ? null : { p50, p95, p99 }
}
