import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { readSslEnvironment } from '../config.js'
import { MigrationError } from '../errors.js'
import { describeLockHolders } from './lock-holders.js'
import { isLockConflict, toMigrationError } from './migration-error.js'
import { type AppliedMigration, type Migration, planMigrations, readMigrations } from './migration-files.js'
import { createPool } from './pool.js'
import { getReportingZone, getTimeZoneName, setReportingZone } from './reporting-zone.js'

export type MigrationOptions = {
  /** The reporting time zone (`Europe/Berlin`). Changing it counts the daily sums anew; left out, it stays as it is. */
  readonly timeZone?: string
  /** Where the `.sql` files are; by default those of this package. */
  readonly directory?: string | URL
  /** Called with a sentence for each step. */
  readonly onProgress?: (message: string) => void
}

export type MigrationResult = {
  /** Names of the files that this run applied, in their order. */
  readonly applied: string[]
  /** How many of this version's files had been applied before. */
  readonly alreadyApplied: number
  readonly timeZone: string
}

type Run = {
  readonly migrations: readonly Migration[]
  readonly timeZone?: string
  readonly report: (message: string) => void
}

const lockTimeoutMs = 2000
const lockAttempts = 4
const pauseMs = 1000

// Any constant will do; every version of tokenledger has to use this one.
const advisoryLock = '7093245115309862814'

const createLedger = `
  create table if not exists token_usage_migrations (
    name text primary key,
    sha256 text not null,
    applied_at timestamptz not null default now()
  );
  comment on table token_usage_migrations is 'The migrations that this schema has been through.';
  comment on column token_usage_migrations.name is 'Name of the file.';
  comment on column token_usage_migrations.sha256 is 'Of the file as it was applied, with plain line feeds.';
  comment on column token_usage_migrations.applied_at is 'When it was applied.';`

/**
 * Brings the database's schema up to date, in one transaction: a failed run changes nothing. Any number of processes may
 * call it at once, also through a transaction-mode pgbouncer. A table that cannot be locked is tried again a few times.
 * Throws a `MigrationError` that says what to do. A pool that is passed in stays open.
 */
export async function migrate(database: string | pg.Pool, options: MigrationOptions = {}): Promise<MigrationResult> {
  const { timeZone, directory, onProgress: report = () => {} } = options
  const run = { migrations: await readMigrations(directory), timeZone, report }
  if (typeof database !== 'string') return migrateWithRetries(database, run)

  const sslEnvironment = readSslEnvironment()
  const pool = createPool({ databaseUrl: database, sslEnvironment, maxConnections: 1 })
  try {
    return await migrateWithRetries(pool, run)
  } finally {
    await pool.end()
  }
}

async function migrateWithRetries(pool: pg.Pool, run: Run): Promise<MigrationResult> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(pool, (client) => bringUpToDate(client, run))
    } catch (error) {
      if (!isLockConflict(error)) throw toMigrationError(error)
      const holders = await describeLockHolders(pool)
      if (attempt === lockAttempts) {
        throw new MigrationError(
          `The usage tables stay locked, by ${holders}. Nothing was changed: migrate again when they are free.`,
        )
      }
      run.report(`the usage tables are locked by ${holders}; attempt ${attempt + 1} of ${lockAttempts} follows`)
      await delay(pauseMs)
    }
  }
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  const ignoreLoss = () => {} // The query that waits is rejected as well.
  client.on('error', ignoreLoss)
  let isBroken = false
  try {
    // At a stricter level the first fill would count the rows of before the lock.
    await client.query('begin isolation level read committed read write')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    isBroken = await client.query('rollback').then(
      () => false,
      () => true,
    )
    throw error
  } finally {
    client.off('error', ignoreLoss)
    client.release(isBroken)
  }
}

async function bringUpToDate(client: pg.PoolClient, run: Run): Promise<MigrationResult> {
  await client.query(
    'set local statement_timeout = 0; set local lock_timeout = 0; set local idle_in_transaction_session_timeout = 0',
  )
  await checkServerVersion(client)
  await takeTurn(client, run.report)
  await client.query(`set local lock_timeout = ${lockTimeoutMs}`)
  await useSchemaOfTable(client)

  await client.query(createLedger)
  const { rows } = await client.query<AppliedMigration>('select name, sha256 from token_usage_migrations')
  const { pending, alreadyApplied, newer } = planMigrations(run.migrations, rows)
  // After a deployment was rolled back, the older release has to start: later migrations add, they take nothing away.
  if (newer.length > 0)
    run.report(`the schema is newer than this version of tokenledger: it also has ${newer.join(', ')}`)
  await applyAll(client, pending, run.report)
  return { applied: pending.map(({ name }) => name), alreadyApplied, timeZone: await settleZone(client, run) }
}

async function checkServerVersion(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ number: number; text: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as text`,
  )
  const [version] = rows
  if (version && version.number < 140_000) {
    throw new MigrationError(`This is PostgreSQL ${version.text}; tokenledger needs 14 or newer.`)
  }
}

async function takeTurn(client: pg.PoolClient, report: Run['report']): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>(`select pg_try_advisory_xact_lock(${advisoryLock}) as taken`)
  if (rows[0]?.taken) return
  report('another process is migrating; waiting for it to end')
  await client.query(`select pg_advisory_xact_lock(${advisoryLock})`)
}

// What is created lives beside the table, belongs to its owner, and finds it whatever the session's search path is.
async function useSchemaOfTable(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ schema: string | null; owner: string }>(
    `select
      coalesce(relnamespace::regnamespace::text, quote_ident(current_schema())) as schema,
      coalesce(pg_get_userbyid(relowner), current_user) as owner
    from (select to_regclass('token_usage_logs') as oid) as found
    left join pg_class using (oid)`,
  )
  const [place] = rows
  if (!place?.schema)
    throw new MigrationError('The search path names no schema to create the tables in. Create one, or set it.')
  await client.query(
    `select set_config('search_path', $1, true), case when $2 <> current_user then set_config('role', $2, true) end`,
    [`${place.schema}, pg_temp`, place.owner],
  )
}

async function applyAll(client: pg.PoolClient, pending: readonly Migration[], report: Run['report']): Promise<void> {
  if (pending.length === 0) return
  const { rows } = await client.query(
    `select from pg_class where oid = to_regclass('token_usage_logs') and relkind in ('r', 'p')`,
  )
  // At once and first: a weaker lock that grows later may deadlock with a program that reads and then writes.
  if (rows.length > 0) await client.query('lock table token_usage_logs in access exclusive mode')
  for (const { name, sql, sha256 } of pending) {
    report(`applying ${name}`)
    await client.query(sql).catch((error: unknown) => {
      throw isLockConflict(error) ? error : toMigrationError(error, `${name}: `)
    })
    await client.query('insert into token_usage_migrations (name, sha256) values ($1, $2)', [name, sha256])
  }
}

async function settleZone(client: pg.PoolClient, { timeZone, report }: Run): Promise<string> {
  const current = await getReportingZone(client)
  if (timeZone === undefined) return current
  const wanted = await getTimeZoneName(client, timeZone)
  if (wanted === current) return current
  report(`counting the daily sums anew for ${wanted}`)
  await setReportingZone(client, wanted)
  return wanted
}
