import type pg from 'pg'
import { isoTime } from './iso-time.js'
import { inTransaction } from './transaction.js'

/** The calls of one model that have no cost. */
export type UnpricedModel = {
  /** Null where the rows name none. */
  readonly provider: string | null
  readonly modelName: string
  readonly calls: number
  /** Those of them whose token counts nobody knows: no price will give them a cost. */
  readonly unknown: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Time of the first and the last of them, ISO 8601 in UTC. Null where none has a finite one. */
  readonly firstAt: string | null
  readonly lastAt: string | null
}

const selectUnpriced = `
  select
    provider,
    model_name as "modelName",
    count(*)::float8 as calls,
    (count(*) filter (where usage_source = 'unknown'))::float8 as unknown,
    sum(input_tokens)::float8 as "inputTokens",
    sum(output_tokens)::float8 as "outputTokens",
    ${isoTime('min(timestamp) filter (where isfinite(timestamp))')} as "firstAt",
    ${isoTime('max(timestamp) filter (where isfinite(timestamp))')} as "lastAt"
  from token_usage_logs
  where nullif(cost_estimate, 'NaN') is null
  group by provider, model_name
  order by count(*) desc, provider, model_name`

/** The models with calls that have no cost, the one with most of them first. Reads the whole table. */
export async function readUnpricedModels(pool: pg.Pool): Promise<UnpricedModel[]> {
  const begin = 'begin read only; set local statement_timeout = 0'
  const { rows } = await inTransaction(pool, begin, (client) => client.query<UnpricedModel>(selectUnpriced))
  return rows
}
