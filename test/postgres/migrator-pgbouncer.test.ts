import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/postgres/migrator.js'
import { isPgbouncerInstalled, type Pgbouncer, startPgbouncer } from '../support/start-pgbouncer.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const isInstalled = isPgbouncerInstalled('migrating through it')
let database: TestDatabase
let pgbouncer: Pgbouncer

beforeAll(async () => {
  if (!isInstalled) return
  database = await createTestDatabase({ template: 'empty' })
  pgbouncer = await startPgbouncer(database.connectionString)
})
afterAll(async () => {
  await pgbouncer?.stop()
  await database?.drop()
})

test.runIf(isInstalled)(
  'eight migrate at once through a transaction-mode pgbouncer, and leave nothing behind',
  async () => {
    const url = pgbouncer.connectionString
    const results = await Promise.all(Array.from({ length: 8 }, () => migrate(url, { timeZone: 'Europe/Berlin' })))

    expect(results.filter(({ applied }) => applied.length > 0)).toHaveLength(1)
    expect(results.map(({ timeZone }) => timeZone)).toEqual(Array(8).fill('Europe/Berlin'))
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query(`
    select
      current_setting('search_path') as path,
      current_setting('lock_timeout') as lock_timeout,
      (
        select count(*)::int from pg_locks join pg_database on pg_database.oid = pg_locks.database
        where locktype = 'advisory' and datname = current_database()
      ) as locks`)
    await client.end()
    expect(rows).toEqual([{ path: '"$user", public', lock_timeout: '0', locks: 0 }])
  },
)
