import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/postgres/migrator.js'
import { missingPgbouncer, type Pgbouncer, startPgbouncer } from '../support/pgbouncer.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const missing = missingPgbouncer()
if (missing) console.warn(`migrating through pgbouncer is not tested: ${missing}`)

let database: TestDatabase
let pgbouncer: Pgbouncer

beforeAll(async () => {
  if (missing) return
  database = await createTestDatabase({ template: 'empty' })
  pgbouncer = await startPgbouncer(database.connectionString)
})
afterAll(async () => {
  if (missing) return
  await pgbouncer.stop()
  await database.drop()
})

test.skipIf(missing)(
  'eight migrate at once through a transaction-mode pgbouncer, and leave nothing behind',
  async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, () => migrate(pgbouncer.url, { timeZone: 'Europe/Berlin' })),
    )

    expect(results.filter(({ applied }) => applied.length > 0)).toHaveLength(1)
    expect(results.map(({ timeZone }) => timeZone)).toEqual(Array(8).fill('Europe/Berlin'))
    const client = new pg.Client({ connectionString: pgbouncer.url })
    await client.connect()
    const { rows } = await client.query(`
    select
      current_setting('search_path') as path,
      current_setting('lock_timeout') as lock_timeout,
      (select count(*)::int from pg_locks where locktype = 'advisory') as locks`)
    await client.end()
    expect(rows).toEqual([{ path: '"$user", public', lock_timeout: '0', locks: 0 }])
  },
)
