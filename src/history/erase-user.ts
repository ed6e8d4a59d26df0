import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { whileWritersWait } from '../postgres/transaction.js'
import { eraseFromSpool, type SpoolFindings, searchSpool } from '../recording/spool/erase-from-spool.js'
import { type Renaming, renameFirst, renameRest } from './anonymize-user.js'
import { findSpellings, inSpool, requirePerson, type SearchOptions } from './user-data.js'

export type EraseOptions = SearchOptions & {
  /** Rows and daily sums are kept, under a name that tells nothing and without what else may lead to the user. */
  readonly anonymize?: boolean | undefined
  /** Rows that get another name in one transaction, 5,000 by default. */
  readonly chunkRows?: number | undefined
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

// The triggers have emptied it, unless somebody has kept them from it.
const deleteUserDays = `
  delete from token_usage_user_days
  where token_usage_user_key(user_email) = token_usage_user_key($1)`

const selectSums = 'select from token_usage_daily where user_email = any($1)'

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
 *
 * With `anonymize` that transaction is of the first `chunkRows` rows, and each of the following ones of as many more, for
 * which nobody waits. One that is interrupted is gone on with by erasing again, under another name then.
 */
export async function eraseUser(pool: pg.Pool, user: string, options: EraseOptions = {}): Promise<ErasureReceipt> {
  requirePerson(user)
  const { spoolDir } = options
  // One that cannot be used is said before anything is changed.
  inSpool(spoolDir, (path) => searchSpool(path, { user }))
  const erased = options.anonymize
    ? await anonymize(pool, user, options)
    : await whileWritersWait(pool, (client) => erase(client, user))
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

async function erase(client: pg.ClientBase, user: string): Promise<Erased> {
  const spellings = await findSpellings(client, user)
  const dailySums = await countOf(client, selectSums, [spellings])
  const rows = await countOf(client, 'delete from token_usage_logs where user_email = any($1)', [spellings])
  await client.query('delete from token_usage_daily where user_email = any($1)', [spellings])
  await client.query(deleteUserDays, [user])
  const deadLetters = await countOf(client, deleteDeadLetters, [user])
  const tombstone = await writeDown(client, [user, false, rows, dailySums, deadLetters])
  return { ...tombstone, anonymizedAs: null, rows, dailySums, deadLetters }
}

async function anonymize(pool: pg.Pool, user: string, { chunkRows = 5000 }: EraseOptions): Promise<Erased> {
  const name = `erased-${randomBytes(6).toString('hex')}`
  const begun = await whileWritersWait(pool, async (client) => {
    const spellings = await findSpellings(client, user)
    const { rows } = await client.query<{ id: string }>('select coalesce(max(id), 0)::text as id from token_usage_logs')
    const dailySums = await countOf(client, selectSums, [spellings])
    const deadLetters = await countOf(client, deleteDeadLetters, [user])
    // How many there are would tell which name they have.
    const tombstone = await writeDown(client, [user, true, null, null, deadLetters])
    const { erasedAt } = tombstone
    const renaming: Renaming = { spellings, name, lastId: rows[0]?.id ?? '0', erasedAt, chunkRows }
    return { tombstone, dailySums, deadLetters, renaming, first: await renameFirst(client, renaming) }
  })
  const { tombstone, dailySums, deadLetters, renaming, first } = begun
  const rows = first.rows + (await renameRest(pool, renaming, first))
  return { ...tombstone, anonymizedAs: name, rows, dailySums, deadLetters }
}

type Tombstone = Pick<Erased, 'userHash' | 'erasedAt'>

async function writeDown(client: pg.ClientBase, values: unknown[]): Promise<Tombstone> {
  const { rows } = await client.query<Tombstone>(insertErasure, values)
  return rows[0] as Tombstone
}

async function countOf(client: pg.ClientBase, sql: string, values: unknown[]): Promise<number> {
  return (await client.query(sql, values)).rowCount ?? 0
}
