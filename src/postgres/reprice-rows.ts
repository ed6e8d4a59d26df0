import type pg from 'pg'
import type { PricedCall } from '../pricing/call-cost.js'
import type { CostSource } from '../usage/usage-record.js'
import { int8Array, textArray } from './binary-array.js'
import { isoTime } from './iso-time.js'

/** Which rows are priced anew; times are ISO 8601, and `until` is not in the range. */
export type RepriceRange = {
  readonly since: string
  readonly until: string
  /** As rows name it; all models by default. */
  readonly modelName?: string | undefined
}

/** The rows of one model in a range. */
export type ModelRows = {
  readonly modelName: string
  readonly rows: number
  /** Rows whose cost the provider reported or the application entered: they keep it. */
  readonly keptRows: number
  readonly keptPicoUsd: bigint
}

/** Amounts in trillionths of a US dollar; null where a row says nothing. */
export type RowCost = {
  readonly total: bigint | null
  readonly input: bigint | null
  readonly output: bigint | null
  readonly other: bigint | null
  readonly source: CostSource | null
}

/** A row as it is. `version` is another one as soon as anybody has changed it. */
export type RepriceRow = {
  readonly id: bigint
  readonly version: string
  readonly call: PricedCall
  readonly cost: RowCost
}

/** Where a row stands among those of its model; an end without an id stands before all of that time. */
export type Place = { readonly at: string; readonly id?: string }

export type RepricePage = {
  readonly rows: readonly RepriceRow[]
  /** The place of the last row that was looked at; undefined where there are no more. */
  readonly last: Place | undefined
}

// A cost without a source is one that another program wrote.
const isPricedHere = `(cost_source in ('list', 'override') or (cost_source is null and nullif(cost_estimate, 'NaN') is null))`

const picoUsd = (amount: string) => `(nullif(${amount}, 'NaN') * 1000000000000)::numeric(38, 0)::text`

const selectModels = `
  select
    model_name as "modelName",
    (count(*) filter (where ${isPricedHere}))::float8 as rows,
    (count(*) filter (where not ${isPricedHere}))::float8 as "keptRows",
    coalesce(${picoUsd(`sum(cost_estimate) filter (where not ${isPricedHere} and cost_estimate <> 'NaN')`)}, '0') as "keptPicoUsd"
  from token_usage_logs
  where timestamp >= $1
    and timestamp < $2
    and ($3::text is null or model_name = $3)
  group by model_name
  order by model_name`

const selectOnlySumsBefore = `
  select (pruned_before at time zone time_zone)::date::text as day
  from token_usage_settings
  where exists (
    select
    from token_usage_daily
    where day < (pruned_before at time zone time_zone)::date
      and day + 1 > $1::timestamptz at time zone time_zone
      and day < $2::timestamptz at time zone time_zone
      and ($3::text is null or model_name = $3)
  )`

// Which of them are priced here is no condition: the planner thinks them few, and would sort all rows for every page.
const selectRows = `
  select
    id::text as id,
    ${isoTime('timestamp')} as at,
    xmin::text as version,
    ${isPricedHere} as "isPricedHere",
    extract(epoch from timestamp)::float8 * 1000 as timestamp,
    provider,
    request_type as "requestType",
    input_tokens::float8 as "inputTokens",
    output_tokens::float8 as "outputTokens",
    cache_read_tokens::float8 as "cacheReadTokens",
    cache_write_tokens::float8 as "cacheWriteTokens",
    reasoning_tokens::float8 as "reasoningTokens",
    coalesce(usage_source, 'entry') as "usageSource",
    coalesce(status, 'ok') as status,
    raw_usage::text as "rawUsage",
    ${picoUsd('cost_estimate')} as total,
    ${picoUsd('input_cost')} as input,
    ${picoUsd('output_cost')} as output,
    ${picoUsd('other_cost')} as other,
    cost_source as source
  from token_usage_logs
  where model_name = $1
    and timestamp >= $2
    and timestamp < $3
    and (timestamp, id) > ($2::timestamptz, $4::bigint)
  order by token_usage_logs.timestamp, token_usage_logs.id
  limit $5`

const updateRows = `
  update token_usage_logs as logs
  set
    cost_estimate = priced.total,
    input_cost = priced.input,
    output_cost = priced.output,
    other_cost = priced.other,
    cost_source = priced.source
  from (
    select
      unnest($1::int8[]) as id,
      unnest($2::int8[]) * 0.000000000001 as total,
      unnest($3::int8[]) * 0.000000000001 as input,
      unnest($4::int8[]) * 0.000000000001 as output,
      unnest($5::int8[]) * 0.000000000001 as other,
      unnest($6::text[]) as source,
      unnest($7::text[])::xid as version
  ) as priced
  where logs.id = priced.id
    and logs.xmin = priced.version`

type StoredRow = Omit<PricedCall, 'modelName'> & {
  readonly id: string
  readonly at: string
  readonly version: string
  readonly isPricedHere: boolean
  readonly total: string | null
  readonly input: string | null
  readonly output: string | null
  readonly other: string | null
  readonly source: CostSource | null
}

const firstId = String(-(2n ** 63n))

/** The models that have rows in a range, by name. Reads all rows of the range. */
export async function readModelRows(client: pg.ClientBase, range: RepriceRange): Promise<ModelRows[]> {
  const { rows } = await client.query(selectModels, [range.since, range.until, range.modelName ?? null])
  return rows.map((row) => ({ ...row, keptPicoUsd: BigInt(row.keptPicoUsd) }))
}

/** The first day that has rows, where earlier ones of the range have sums that outlived theirs; null where none do. */
export async function readOnlySumsBefore(client: pg.ClientBase, range: RepriceRange): Promise<string | null> {
  const values = [range.since, range.until, range.modelName ?? null]
  const { rows } = await client.query<{ day: string }>(selectOnlySumsBefore, values)
  return rows[0]?.day ?? null
}

export type PageRequest = {
  readonly modelName: string
  readonly after: Place
  readonly until: string
  readonly limit: number
  /** `lock` keeps others from changing the rows until the transaction ends. */
  readonly mode: 'read' | 'lock'
}

/** The rows of a model that are priced here among the next `limit` of it, by time and id. */
export async function readRepricePage(client: pg.ClientBase, request: PageRequest): Promise<RepricePage> {
  const { modelName, after, until, limit, mode } = request
  const text = mode === 'lock' ? `${selectRows} for no key update` : selectRows
  const { rows } = await client.query<StoredRow>(text, [modelName, after.at, until, after.id ?? firstId, limit])
  const last = rows.length === limit ? rows.at(-1) : undefined
  return {
    rows: rows.flatMap((row) => (row.isPricedHere ? [toRepriceRow(row, modelName)] : [])),
    last: last && { at: last.at, id: last.id },
  }
}

function toRepriceRow(row: StoredRow, modelName: string): RepriceRow {
  const { id, at, version, isPricedHere, total, input, output, other, source, ...call } = row
  return {
    id: BigInt(id),
    version,
    call: { ...call, modelName },
    cost: { total: toBigInt(total), input: toBigInt(input), output: toBigInt(output), other: toBigInt(other), source },
  }
}

/**
 * Gives rows new costs, but for those that somebody has changed since they were read; returns how many got theirs. The
 * triggers of the table carry the costs over into the daily sums.
 */
export async function updateCosts(
  client: pg.ClientBase,
  rows: readonly (Pick<RepriceRow, 'id' | 'version'> & { readonly newCost: RowCost })[],
): Promise<number> {
  const amounts = (part: 'total' | 'input' | 'output' | 'other') => int8Array(rows.map(({ newCost }) => newCost[part]))
  const { rowCount } = await client.query(updateRows, [
    int8Array(rows.map(({ id }) => id)),
    amounts('total'),
    amounts('input'),
    amounts('output'),
    amounts('other'),
    textArray(rows.map(({ newCost }) => newCost.source)),
    textArray(rows.map(({ version }) => version)),
  ])
  return rowCount ?? 0
}

function toBigInt(text: string | null): bigint | null {
  return text === null ? null : BigInt(text)
}
