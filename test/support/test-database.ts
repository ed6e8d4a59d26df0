import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

/** A database of one test file. */
export type TestDatabase = {
  readonly connectionString: string
  readonly pool: pg.Pool
  query(sql: string, parameters?: unknown[]): Promise<pg.QueryResultRow[]>
  /** Ends the pool and removes the database, whoever is still connected to it. */
  drop(): Promise<void>
}

/** Creates a database of its own: with all migrations applied by default, or empty. */
export async function createTestDatabase(options: { template?: 'migrated' | 'empty' } = {}): Promise<TestDatabase> {
  const prefix = inject('testDatabasePrefix')
  const name = `${prefix}${randomBytes(6).toString('hex')}`
  const template = options.template === 'empty' ? 'template0' : `${prefix}migrated`
  await administer(`create database ${name} template ${template}`)

  const url = new URL(inject('testServerUrl'))
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
      await administer(`drop database if exists ${name} with (force)`)
    },
  }
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('testServerUrl') })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
