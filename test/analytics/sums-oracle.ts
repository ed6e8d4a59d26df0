import type { UsageDimension, UsagePeriod, UsageQuery } from '../../src/index.js'
import type { TestDatabase } from '../support/test-database.js'

const columnOf = {
  user: 'user_email',
  model: 'model_name',
  provider: "coalesce(provider, '')",
  operation: "coalesce(operation, '')",
  project: "coalesce(project, '')",
  requestType: 'request_type',
  status: 'status',
} as const

export type OracleQuery = {
  readonly zone: string
  readonly query: UsageQuery
  readonly period?: UsagePeriod | undefined
  readonly by?: UsageDimension | undefined
}

/** What the rows add up to, in plain SQL on `token_usage_logs` alone. */
export async function sumRows(database: TestDatabase, { zone, query, period, by }: OracleQuery): Promise<object[]> {
  const local = `(timestamp at time zone '${zone}')`
  const periodColumn =
    period === undefined
      ? 'null'
      : period === 'hour'
        ? `to_char(date_trunc('hour', timestamp, '${zone}') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
        : `date_trunc('${period}', ${local})::date::text`
  return database.query(
    `select
      ${periodColumn} as period,
      ${by ? columnOf[by] : 'null'} as "group",
      ${by === 'model' ? columnOf.provider : 'null'} as provider,
      count(*)::int as requests,
      sum(input_tokens)::float8 as input,
      sum(output_tokens)::float8 as output,
      count(*) filter (where usage_source = 'unknown')::int as unknown,
      count(*) filter (where cost_estimate is null or cost_estimate = 'NaN')::int as unpriced,
      count(*) filter (where status = 'error')::int as failed,
      count(*) filter (where status = 'aborted')::int as aborted,
      coalesce(sum(cache_read_tokens), 0)::float8 as cached,
      coalesce(sum(reasoning_tokens), 0)::float8 as reasoning,
      trim_scale(sum(cost_estimate) filter (where cost_estimate <> 'NaN'))::text as cost,
      trim_scale(coalesce(sum(output_cost) filter (where output_cost <> 'NaN'), 0))::text as output_cost
    from token_usage_logs
    where ${conditionsOf(query, local).join(' and ')}
    group by 1, 2, 3`,
  )
}

/** The conditions that a query puts on the rows. */
export function conditionsOf({ since, until, ...filter }: UsageQuery, local: string): string[] {
  const conditions = ['true']
  const isDay = (bound: string) => bound.length === 10
  if (since) conditions.push(isDay(since) ? `${local}::date >= '${since}'` : `timestamp >= '${since}'`)
  if (until) conditions.push(isDay(until) ? `${local}::date <= '${until}'` : `timestamp < '${until}'`)
  for (const [key, value] of Object.entries(filter)) {
    if (value !== undefined) conditions.push(`${columnOf[key as keyof typeof columnOf]} = '${value}'`)
  }
  return conditions
}
