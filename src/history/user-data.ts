import type pg from 'pg'
import { TokenLedgerError } from '../errors.js'
import { inTransaction } from '../postgres/transaction.js'
import { type SpoolFindings, searchSpool } from '../recording/spool/erase-from-spool.js'
import { userKey } from '../usage/user-key.js'

/** How much is stored about a user. */
export type UserData = {
  /** Every spelling that was found: case and surrounding blanks make no other user. */
  readonly spellings: readonly string[]
  readonly rows: number
  readonly dailySums: number
  readonly deadLetters: number
  /** In the spool of this machine; null where none was looked at. */
  readonly spool: SpoolFindings | null
}

export type SearchOptions = {
  /** The spool directory of this machine; no spool is looked at, if left out. */
  readonly spoolDir?: string | undefined
}

// One step for each user, along the index, instead of a pass over all rows.
const selectSpellings = `
  with recursive users (user_email) as (
    (select min(user_email) from token_usage_logs)
    union all
    select (select min(later.user_email) from token_usage_logs as later where later.user_email > users.user_email)
    from users
    where users.user_email is not null
  ), users_of_sums as materialized (
    select distinct user_email
    from token_usage_daily
  )
  select user_email
  from users
  where token_usage_user_key(user_email) = token_usage_user_key($1)
  union
  select user_email
  from users_of_sums
  where token_usage_user_key(user_email) = token_usage_user_key($1)
  order by user_email`

const selectCounts = `
  select
    (select count(*) from token_usage_logs where user_email = any($1))::float8 as rows,
    (select count(*) from token_usage_daily where user_email = any($1))::float8 as "dailySums",
    (
      select count(*)
      from token_usage_dead_letters
      where token_usage_user_key(token_usage_dead_letter_user(record)) = token_usage_user_key($2)
    )::float8 as "deadLetters"`

/** What is stored about a user, on one snapshot. Changes nothing and holds nobody up. */
export async function findUserData(pool: pg.Pool, user: string, { spoolDir }: SearchOptions = {}): Promise<UserData> {
  requirePerson(user)
  const begin = 'begin isolation level repeatable read read only; set local statement_timeout = 0'
  return inTransaction(pool, begin, async (client) => {
    const spellings = await findSpellings(client, user)
    const { rows } = await client.query(selectCounts, [spellings, user])
    return { spellings, ...rows[0], spool: inSpool(spoolDir, (path) => searchSpool(path, { user })) }
  })
}

/** Every spelling of a user in the rows and the daily sums. */
export async function findSpellings(client: pg.ClientBase, user: string): Promise<string[]> {
  const { rows } = await client.query<{ user_email: string }>(selectSpellings, [user])
  return rows.map(({ user_email }) => user_email)
}

/** What `work` finds in a spool; null where there is none to look at. Throws a sentence where it is not safe to use. */
export function inSpool(spoolDir: string | undefined, work: (path: string) => SpoolFindings): SpoolFindings | null {
  if (spoolDir === undefined) return null
  try {
    return work(spoolDir)
  } catch (error) {
    throw new TokenLedgerError(
      'TOKENLEDGER_SPOOL',
      `The spool in ${spoolDir} cannot be looked through: ${(error as Error).message}. Run this as the user that the app runs as, or without TOKEN_LOG_SPOOL_DIR.`,
    )
  }
}

/** Throws for what stands for nobody: an empty text, and the name of all whom nobody knows. */
export function requirePerson(user: string): void {
  const key = userKey(user)
  if (key !== '' && key !== 'anonymous') return
  throw new TokenLedgerError(
    'TOKENLEDGER_NO_USER',
    key === '' ? 'No user is named.' : '"anonymous" is the name of all calls whose user nobody knows, and no person.',
  )
}
