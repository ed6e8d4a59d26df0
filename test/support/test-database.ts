import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { inject } from 'vitest'
import type { TestServer } from './test-server.js'

/** A database of one test file. */
export type TestDatabase = {
  readonly connectionString: string
  readonly pool: pg.Pool
  query(sql: string, parameters?: unknown[]): Promise<pg.QueryResultRow[]>
  /** Ends the pool and removes the database, whoever is still connected to it. */
  drop(): Promise<void>
}

type Locale = 'C' | 'tr-TR'

type Template = {
  readonly template?: 'migrated' | 'empty'
  /**
   * Of an empty one: `C`, whose lower() knows ASCII only, or Turkish, where it makes another letter of an "I", which takes
   * PostgreSQL 15 with ICU. That of the server by default.
   */
  readonly locale?: Locale
}

/** Creates a database of its own on the server of this test run: with all migrations applied by default, or empty. */
export function createTestDatabase(options: Template = {}): Promise<TestDatabase> {
  return createDatabaseOn({ url: inject('testServerUrl'), prefix: inject('testDatabasePrefix') }, options)
}

/** The same on any such server. */
export async function createDatabaseOn(
  server: Pick<TestServer, 'url' | 'prefix'>,
  options: Template = {},
): Promise<TestDatabase> {
  const name = `${server.prefix}${randomBytes(6).toString('hex')}`
  const template = options.template === 'empty' ? 'template0' : `${server.prefix}migrated`
  const locale = options.locale === undefined ? '' : await localeOptions(server.url, options.locale)
  await administer(server.url, `create database ${name} template ${template} ${locale}`)

  const url = new URL(server.url)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.href })
  // Tests break connections on purpose; what a query of theirs meets is thrown by the query itself.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    connectionString: url.href,
    pool,
    query: async (sql, parameters) => (await pool.query(sql, parameters)).rows,
    drop: async () => {
      await pool.end()
      await administer(server.url, `drop database if exists ${name} with (force)`)
    },
  }
}

/**
 * Waits until so many sessions of this database, with a query that starts like this, wait for a lock. The server has the
 * databases of other test files as well, where others wait.
 */
export async function untilBlocked(database: TestDatabase, { sessions = 1, query = '' } = {}): Promise<number[]> {
  for (;;) {
    const blocked = await database.query(
      `select pid from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and starts_with(query, $1)`,
      [query],
    )
    if (blocked.length >= sessions) return blocked.map(({ pid }) => pid)
    await sleep(10)
  }
}

async function localeOptions(serverUrl: string, locale: Locale): Promise<string> {
  if (locale === 'tr-TR') return `encoding 'UTF8' lc_collate 'C' lc_ctype 'C' locale_provider icu icu_locale 'tr-TR'`
  const [version] = await administer(serverUrl, `select current_setting('server_version_num')::int as number`)
  const provider = version?.number >= 150_000 ? 'locale_provider libc' : ''
  return `encoding 'UTF8' lc_collate '${locale}' lc_ctype '${locale}' ${provider}`
}

async function administer(serverUrl: string, sql: string): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}
