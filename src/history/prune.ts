import type pg from 'pg'
import { TokenLedgerError } from '../errors.js'
import { inTransaction, whileWritersWait } from '../postgres/transaction.js'

/** Where to begin to keep: everything of before is pruned. */
export type PruneBoundary = {
  /** First day that is kept, in the reporting time zone: `2026-08-28`. */
  readonly day: string
  /** Its start, as PostgreSQL writes it in UTC, to the microsecond. */
  readonly startsAt: string
}

export type PruneOptions = {
  /** The daily sums outlive their rows. They are pruned as well, if left out. */
  readonly keepDaily?: boolean
  /** Rows of one transaction, 10,000 by default. */
  readonly chunkRows?: number
  /** Ends the work after the current chunk; pruning again goes on from there. */
  readonly signal?: AbortSignal
}

/** How many rows of each table were pruned, or would be. */
export type Pruned = {
  readonly rows: number
  readonly dailySums: number
  readonly deadLetters: number
}

type Step = {
  readonly pool: pg.Pool
  readonly boundary: PruneBoundary
  readonly chunkRows: number
  readonly signal: AbortSignal | undefined
}

const begin = `begin isolation level read committed read write;
  set local statement_timeout = 0; set local time zone 'UTC'`

// Any constant will do, as long as it is not the migrator's.
const advisoryLock = '7093245115309862815'

const selectBoundary = `
  with settings as (
    select coalesce((select time_zone from token_usage_settings), 'UTC') as time_zone
  ), days as (
    select time_zone, (now() at time zone time_zone)::date - $1::int as day
    from settings
  )
  select
    day::text as day,
    to_char((day::timestamp at time zone time_zone) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "startsAt"
  from days`

const selectCounts = `
  select
    (select count(*) from token_usage_logs where timestamp < $1)::float8 as rows,
    (select count(*) from token_usage_daily where day < $2)::float8 as "dailySums",
    (select count(*) from token_usage_dead_letters where failed_at < $1)::float8 as "deadLetters"`

// By model, which has an index that goes on with the time: no pass over the rows that stay.
const selectNextModel = `
  select min(model_name) as model
  from token_usage_logs
  where $1::text is null
    or model_name > $1`

const deleteRows = `
  delete from token_usage_logs
  where ctid = any(array(
    select ctid
    from token_usage_logs
    where model_name = $1
      and timestamp < $2
    order by timestamp
    limit $3
  ))`

const deleteDailySums = `
  delete from token_usage_daily
  where ctid = any(array(
    select ctid
    from token_usage_daily
    where day < $1
    limit $2
  ))`

const deleteDeadLetters = `
  delete from token_usage_dead_letters
  where ctid = any(array(
    select ctid
    from token_usage_dead_letters
    where failed_at < $1
    limit $2
  ))`

/** The boundary that keeps the last `days` full days and today, by the database's clock and the reporting time zone. */
export async function findPruneBoundary(pool: pg.Pool, days: number): Promise<PruneBoundary> {
  const { rows } = await pool.query<PruneBoundary>(selectBoundary, [days])
  return rows[0] as PruneBoundary
}

/** What `prune` would remove now. */
export async function countPrunable(pool: pg.Pool, boundary: PruneBoundary, options: PruneOptions): Promise<Pruned> {
  const { rows } = await pool.query<Pruned>(selectCounts, [boundary.startsAt, boundary.day])
  const [found] = rows as [Pruned]
  return { ...found, dailySums: options.keepDaily ? 0 : found.dailySums }
}

/**
 * Removes the rows of before the boundary, the dead letters and, unless they are kept, the daily sums, in transactions of
 * `chunkRows`. First the database is told: from then on it refuses rows of before, so that none comes back. What is
 * interrupted is gone on with by pruning again. Throws where another process is pruning.
 */
export async function prune(pool: pg.Pool, boundary: PruneBoundary, options: PruneOptions = {}): Promise<Pruned> {
  const { keepDaily = false, chunkRows = 10_000, signal } = options
  const step = { pool, boundary, chunkRows, signal }
  await remember(pool, boundary)
  const rows = await pruneRows(step)
  const dailySums = keepDaily ? 0 : await inChunks(step, deleteDailySums, [boundary.day])
  const deadLetters = await inChunks(step, deleteDeadLetters, [boundary.startsAt])
  return { rows, dailySums, deadLetters }
}

// Forwards only: what was pruned stays refused.
async function remember(pool: pg.Pool, { startsAt }: PruneBoundary): Promise<void> {
  const { rows } = await pool.query('select from token_usage_settings where pruned_before >= $1::timestamptz', [
    startsAt,
  ])
  if (rows.length > 0) return
  await whileWritersWait(pool, (client) =>
    client.query(
      `insert into token_usage_settings as settings (pruned_before)
      values ($1)
      on conflict (only_row) do update
      set pruned_before = greatest(settings.pruned_before, excluded.pruned_before)`,
      [startsAt],
    ),
  )
}

async function pruneRows(step: Step): Promise<number> {
  let pruned = 0
  let model: string | null = null
  while (!step.signal?.aborted) {
    const { rows }: pg.QueryResult<{ model: string | null }> = await step.pool.query(selectNextModel, [model])
    model = rows[0]?.model ?? null
    if (model === null) break
    pruned += await inChunks(step, deleteRows, [model, step.boundary.startsAt])
  }
  return pruned
}

async function inChunks(step: Step, sql: string, values: readonly string[]): Promise<number> {
  let pruned = 0
  while (!step.signal?.aborted) {
    const count = await inTransaction(step.pool, begin, async (client) => {
      await takeTurn(client)
      return (await client.query(sql, [...values, step.chunkRows])).rowCount ?? 0
    })
    pruned += count
    if (count < step.chunkRows) break
  }
  return pruned
}

async function takeTurn(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>(`select pg_try_advisory_xact_lock(${advisoryLock}) as taken`)
  if (rows[0]?.taken) return
  throw new TokenLedgerError(
    'TOKENLEDGER_BUSY',
    'Another process is pruning. Nothing of what it does is lost: prune again when it has ended.',
  )
}
