import type pg from 'pg'

export type DemoCosts = {
  readonly priced: number
  readonly unpriced: number
  /** The sum of all that have a price, in US dollars. */
  readonly costUsd: string
  /** Models with calls that have no price. */
  readonly unpricedModels: readonly string[]
}

const sql = `
  select
    count(cost_estimate)::int as priced,
    (count(*) - count(cost_estimate))::int as unpriced,
    trim_scale(coalesce(sum(cost_estimate), 0))::text as "costUsd",
    coalesce(array_agg(distinct model_name order by model_name) filter (where cost_estimate is null), '{}') as "unpricedModels"
  from token_usage_logs
  where starts_with(session_id, $1)`

/** What the calls of the sessions whose name begins with `prefix` have cost. */
export async function readCosts(pool: pg.Pool, prefix: string): Promise<DemoCosts> {
  const { rows } = await pool.query<DemoCosts>(sql, [prefix])
  return rows[0] ?? { priced: 0, unpriced: 0, costUsd: '0', unpricedModels: [] }
}
