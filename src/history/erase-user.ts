import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { whileWritersWait } from '../postgres/transaction.js'
import { eraseFromSpool, type SpoolFindings, searchSpool } from '../recording/spool/erase-from-spool.js'
import { findSpellings, inSpool, requirePerson, type SearchOptions } from './user-data.js'

export type EraseOptions = SearchOptions & {
  /** Rows and daily sums are kept, under a name that tells nothing and without what else may lead to the user. */
  readonly anonymize?: boolean | undefined
}

/** What was erased. It names the user by a hash only, so that it may be kept. */
export type ErasureReceipt = {
  /** As in `token_erasures`. */
  readonly userHash: string
  /** ISO 8601, in UTC. Calls up to this time are refused from now on, later ones are recorded. */
  readonly erasedAt: string
  /** The name that the rows have now; null where they were removed. Nothing stored leads from the user to it. */
  readonly anonymizedAs: string | null
  readonly rows: number
  readonly dailySums: number
  readonly deadLetters: number
  /** Null where no spool was looked at. */
  readonly spool: SpoolFindings | null
}

type Erased = Omit<ErasureReceipt, 'spool'>

// An id that was made of what a call consists of, or of a key of the application, would lead back to the user.
const anonymizeRows = `
  update token_usage_logs
  set user_email = $2, event_id = gen_random_uuid(), session_id = null, operation_id = null, response_id = null, metadata = null
  where user_email = any($1)`

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
const anonymizeKeptSums = `
  with moved as (
    delete from token_usage_daily
    where user_email = any($1)
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

const deleteUserDays = `
  delete from token_usage_user_days
  where token_usage_user_key(user_email) = token_usage_user_key($1)`

const deleteDeadLetters = `
  delete from token_usage_dead_letters
  where token_usage_user_key(token_usage_dead_letter_user(record)) = token_usage_user_key($1)`

const insertErasure = `
  insert into token_erasures (user_hash, erased_at, anonymized, usage_rows, daily_sums, dead_letters)
  values (token_usage_user_hash($1), clock_timestamp(), $2, $3, $4, $5)
  returning
    user_hash as "userHash",
    to_char(erased_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "erasedAt"`

const noteSpooled = `
  update token_erasures
  set spooled = $3
  where user_hash = $1
    and erased_at = $2`

/**
 * Erases a user, all spellings alike: the rows and daily sums, the dead letters, and what of the spool nobody is writing.
 * In the database all of it is one transaction, for which writers wait; it leaves a hash behind, by which calls up to now
 * are refused whenever they come. Throws where nothing was erased; then nothing was changed.
 */
export async function eraseUser(pool: pg.Pool, user: string, options: EraseOptions = {}): Promise<ErasureReceipt> {
  requirePerson(user)
  const { spoolDir } = options
  // One that cannot be used is said before anything is changed.
  inSpool(spoolDir, (path) => searchSpool(path, { user }))
  const anonymizedAs = options.anonymize ? `erased-${randomBytes(6).toString('hex')}` : null
  const erased = await whileWritersWait(pool, (client) => erase(client, user, anonymizedAs))
  // Only now: what is in a spool is refused already, and is still there to be found if this goes no further.
  const spool = inSpool(spoolDir, (path) => eraseWhatIsThere(path, user))
  // The receipt has that number as well: that it cannot be noted is no reason to keep the receipt back.
  if (spool && spool.records > 0) {
    await pool.query(noteSpooled, [erased.userHash, erased.erasedAt, spool.records]).catch(() => {})
  }
  return { ...erased, spool }
}

// The user is erased from the database by now: a spool that has become unusable is told, and `erase --verify` finds the rest.
function eraseWhatIsThere(path: string, user: string): SpoolFindings {
  try {
    return eraseFromSpool(path, { user })
  } catch {
    return { records: 0, inUse: 0, unreadable: 1 }
  }
}

async function erase(client: pg.ClientBase, user: string, anonymizedAs: string | null): Promise<Erased> {
  const spellings = await findSpellings(client, user)
  const dailySums = await countOf(client, 'select from token_usage_daily where user_email = any($1)', [spellings])
  const rows = anonymizedAs
    ? await countOf(client, anonymizeRows, [spellings, anonymizedAs])
    : await countOf(client, 'delete from token_usage_logs where user_email = any($1)', [spellings])
  if (anonymizedAs) await client.query(anonymizeKeptSums, [spellings, anonymizedAs])
  else await client.query('delete from token_usage_daily where user_email = any($1)', [spellings])
  // The triggers have emptied it, unless somebody has kept them from it.
  await client.query(deleteUserDays, [user])
  const deadLetters = await countOf(client, deleteDeadLetters, [user])
  // How many rows have a name that tells nothing would tell which name that is.
  const counts = anonymizedAs ? [null, null] : [rows, dailySums]
  const values = [user, anonymizedAs !== null, ...counts, deadLetters]
  const inserted = await client.query<{ userHash: string; erasedAt: string }>(insertErasure, values)
  const [tombstone] = inserted.rows as [{ userHash: string; erasedAt: string }]
  return { ...tombstone, anonymizedAs, rows, dailySums, deadLetters }
}

async function countOf(client: pg.ClientBase, sql: string, values: unknown[]): Promise<number> {
  return (await client.query(sql, values)).rowCount ?? 0
}
