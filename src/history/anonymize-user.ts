import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { isLockConflict } from '../postgres/migration-error.js'
import { inTransaction } from '../postgres/transaction.js'

/** What is to have another name: all rows and sums that there were of a user when the erasure was written down. */
export type Renaming = {
  readonly spellings: readonly string[]
  readonly name: string
  /** Later rows are of calls after the erasure. */
  readonly lastId: string
  readonly erasedAt: string
  readonly chunkRows: number
}

/** Where a spelling's rows go on. */
type Place = { readonly spelling: number; readonly since: string }
type Chunk = { readonly rows: number; readonly next: Place | undefined }

const attempts = 5
const pauseMs = 200
const begin = `begin isolation level read committed read write;
  set local statement_timeout = 0; set local lock_timeout = '10s'; set local time zone 'UTC'`

// An id that was made of what a call consists of, or of a key of the application, would lead back to the user.
const renameRows = `
  with chunk as (
    select id, timestamp
    from token_usage_logs
    where user_email = $1
      and timestamp >= $2
      and id <= $3
    order by timestamp
    limit $4
  ), renamed as (
    update token_usage_logs
    set user_email = $5, event_id = gen_random_uuid(), session_id = null, operation_id = null, response_id = null, metadata = null
    where id = any(array(select id from chunk))
      and user_email = $1
    returning id
  )
  select
    (select count(*) from chunk)::float8 as found,
    (select count(*) from renamed)::float8 as renamed,
    (select max(timestamp) from chunk)::text as last`

const sums = [
  'requests',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'reasoning_tokens',
  'cost',
  'input_cost',
  'output_cost',
  'other_cost',
  'unpriced',
  'unknown',
  'aborted',
  'failed',
]

// The triggers have moved the sums of rows. What is left outlived its rows, and spellings of one user may meet in it.
const renameKeptSums = `
  with moved as (
    delete from token_usage_daily
    where user_email = any($1)
      and last_at <= $3
    returning *
  )
  insert into token_usage_daily as kept (
    day, user_email, provider, model_name, request_type, operation, project, ${sums.join(', ')}, first_at, last_at
  )
  select
    day, $2, provider, model_name, request_type, operation, project,
    ${sums.map((column) => `sum(${column})`).join(', ')}, min(first_at), max(last_at)
  from moved
  group by day, provider, model_name, request_type, operation, project
  on conflict (day, user_email, provider, model_name, request_type, operation, project) do update
  set
    ${sums.map((column) => `${column} = kept.${column} + excluded.${column}`).join(', ')},
    first_at = least(kept.first_at, excluded.first_at),
    last_at = greatest(kept.last_at, excluded.last_at)`

// The triggers have emptied it, unless somebody has kept them from it.
const deleteUserDays = `
  delete from token_usage_user_days
  where user_email = any($1)
    and last_at <= $2`

/** Gives rows their new name until there is no more, or `chunkRows` have it; where there is no more the kept sums as well. */
export async function renameFirst(client: pg.ClientBase, renaming: Renaming): Promise<Chunk> {
  return renameChunk(client, renaming, { spelling: 0, since: '-infinity' })
}

/** Goes on from `first`, in transactions of `chunkRows`, and returns how many rows got their name then. */
export async function renameRest(pool: pg.Pool, renaming: Renaming, { next }: Chunk): Promise<number> {
  let place = next
  let rows = 0
  while (place !== undefined) {
    const from: Place = place
    const chunk: Chunk = await withRetries(() =>
      inTransaction(pool, begin, (client) => renameChunk(client, renaming, from)),
    )
    rows += chunk.rows
    place = chunk.next
  }
  return rows
}

async function renameChunk(client: pg.ClientBase, renaming: Renaming, place: Place): Promise<Chunk> {
  const { spellings, name, lastId, erasedAt, chunkRows } = renaming
  let { spelling, since } = place
  let rows = 0
  while (spelling < spellings.length) {
    const limit = chunkRows - rows
    const values = [spellings[spelling], since, lastId, limit, name]
    const result = await client.query<{ found: number; renamed: number; last: string }>(renameRows, values)
    const [{ found, renamed, last }] = result.rows as [{ found: number; renamed: number; last: string }]
    rows += renamed
    if (found === limit) return { rows, next: { spelling, since: last } }
    spelling += 1
    since = '-infinity'
  }
  await client.query(renameKeptSums, [spellings, name, erasedAt])
  await client.query(deleteUserDays, [spellings, erasedAt])
  return { rows, next: undefined }
}

async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (attempt === attempts || !isLockConflict(error)) throw error
      await sleep(attempt * pauseMs)
    }
  }
}
