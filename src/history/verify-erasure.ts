import type pg from 'pg'
import { inTransaction } from '../postgres/transaction.js'
import { type SpoolFindings, searchSpool } from '../recording/spool/erase-from-spool.js'
import { userKey } from '../usage/user-key.js'
import { findSpellings, inSpool, requirePerson, type SearchOptions } from './user-data.js'

/** What is left of a user after the last erasure. */
export type ErasureVerification = {
  /** Of the last erasure, ISO 8601; null where this user was never erased: then everything is left. */
  readonly erasedAt: string | null
  /** Of calls up to then. */
  readonly rows: number
  readonly dailySums: number
  readonly deadLetters: number
  /**
   * Rows, sums and dead letters of others that name the user in a text or in `metadata`. Null where they were not looked
   * for: a user without an "@" (`42`) would be found everywhere.
   */
  readonly mentions: number | null
  /** Null where no spool was looked at. */
  readonly spool: SpoolFindings | null
  /** Rows of calls after the erasure, which are recorded again: nothing is left over in them. */
  readonly rowsSince: number
  /** Whether nothing is left. */
  readonly isComplete: boolean
}

const selectErasedAt = `
  select to_char(max(erased_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "erasedAt"
  from token_erasures
  where user_hash = token_usage_user_hash($1)`

const selectLeft = `
  select
    (select count(*) from token_usage_logs where user_email = any($1) and timestamp <= $3)::float8 as rows,
    (select count(*) from token_usage_logs where user_email = any($1) and timestamp > $3)::float8 as "rowsSince",
    (select count(*) from token_usage_daily where user_email = any($1) and first_at <= $3)::float8 as "dailySums",
    (
      select count(*)
      from token_usage_dead_letters
      where token_usage_user_key(token_usage_dead_letter_user(record)) = token_usage_user_key($2)
        and coalesce(token_usage_dead_letter_time(record), '-infinity') <= $3
    )::float8 as "deadLetters"`

// The first condition is quick, the last one tells ann@example.com from joann@example.com.
const selectMentions = `
  select count(*)::float8 as mentions
  from (
    select concat_ws(
      ' ', model_name, request_type, session_id, provider, operation, operation_id, project, response_id,
      metadata::text, raw_usage::text
    ) as text
    from token_usage_logs
    where user_email <> all($1)
    union all
    select concat_ws(' ', provider, model_name, request_type, operation, project)
    from token_usage_daily
    where user_email <> all($1)
    union all
    select record::text || reason
    from token_usage_dead_letters
    where token_usage_user_key(token_usage_dead_letter_user(record)) is distinct from token_usage_user_key($2)
  ) as texts
  where strpos(lower(text collate "C"), $4) > 0
    and strpos(token_usage_user_key(text), token_usage_user_key($2)) > 0
    and token_usage_user_key(text) ~ $3`

/**
 * Looks for what is left of a user: in the database, on one snapshot, and in the spool. Changes nothing and holds nobody
 * up; takes as long as reading the whole table does.
 */
export async function verifyErasure(
  pool: pg.Pool,
  user: string,
  { spoolDir }: SearchOptions = {},
): Promise<ErasureVerification> {
  requirePerson(user)
  const begin = 'begin isolation level repeatable read read only; set local statement_timeout = 0'
  const left = await inTransaction(pool, begin, async (client) => {
    const erasures = await client.query<{ erasedAt: string | null }>(selectErasedAt, [user])
    const erasedAt = erasures.rows[0]?.erasedAt ?? null
    const spellings = await findSpellings(client, user)
    const { rows } = await client.query(selectLeft, [spellings, user, erasedAt ?? 'infinity'])
    return { ...rows[0], erasedAt, mentions: await countMentions(client, spellings, user) }
  })
  const until = left.erasedAt === null ? undefined : Date.parse(left.erasedAt)
  const spool = inSpool(spoolDir, (path) => searchSpool(path, { user, until }))
  const found = [left.rows, left.dailySums, left.deadLetters, left.mentions ?? 0, ...Object.values(spool ?? {})]
  return { ...left, spool, isComplete: found.every((count) => count === 0) }
}

async function countMentions(client: pg.ClientBase, spellings: string[], user: string): Promise<number | null> {
  if (!user.includes('@')) return null
  const key = userKey(user)
  const literal = key.replace(/[^\p{L}\p{N}@]/gu, '\\$&')
  const pattern = `(^|[^[:alnum:]._%+-])${literal}($|[^[:alnum:]-])`
  const { rows } = await client.query<{ mentions: number }>(selectMentions, [spellings, user, pattern, asciiOf(key)])
  return rows[0]?.mentions ?? 0
}

// The longest part of a key that is no capital of another script: an "i" and a "k" may be.
function asciiOf(key: string): string {
  return key.split(/[^ -~]|[ik]/).reduce((longest, part) => (part.length > longest.length ? part : longest))
}
