import pg from 'pg'
import { expect, it } from 'vitest'
import { createTestDatabase } from './test-database.js'

const LIST_TABLES = "select count(*)::int as tables from pg_tables where schemaname = 'public'"

it('gives every caller a migrated database of its own', async () => {
  const [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()])

  await first.query('create table mine ()')
  const names = await second.query(
    "select to_regclass('token_usage_logs')::text as logs, to_regclass('mine')::text as mine",
  )
  await Promise.all([first.drop(), second.drop()])

  expect(names).toEqual([{ logs: 'token_usage_logs', mine: null }])
})

it('gives an empty database to a test that migrates itself', async () => {
  const database = await createTestDatabase({ template: 'empty' })

  const rows = await database.query(LIST_TABLES)
  await database.drop()

  expect(rows).toEqual([{ tables: 0 }])
})

it('leaves no database behind, even with a client that is still connected', async () => {
  const [database, observer] = [await createTestDatabase({ template: 'empty' }), await createTestDatabase()]
  const name = new URL(database.connectionString).pathname.slice(1)
  const forgotten = new pg.Client(database.connectionString)
  forgotten.on('error', () => {})
  await forgotten.connect()

  await database.drop()
  const rows = await observer.query('select from pg_database where datname = $1', [name])
  await observer.drop()

  expect(rows).toEqual([])
})
