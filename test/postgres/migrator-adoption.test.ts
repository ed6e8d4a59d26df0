import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MigrationError } from '../../src/errors.js'
import { migrate } from '../../src/postgres/migrator.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'
import { findDailySumsDifferences } from './daily-sums-differences.js'

const originalTable = await readFile('sql/simple_token_table.sql', 'utf8')
const originalColumns =
  'id, timestamp, user_email, model_name, input_tokens, output_tokens, request_type, session_id, cost_estimate'
const insertAsBefore = `insert into token_usage_logs
  (user_email, model_name, input_tokens, output_tokens, request_type, session_id, cost_estimate)
  select 'user' || n % 7 || '@example.com', 'gpt-4o', n, 1, 'chat', 's' || n, case when n % 3 > 0 then 0.000123 end
  from generate_series(1, $1) as n`

// Roles belong to the whole server, which may be that of other runs too.
const createRoleName = () => `tokenledger_${randomBytes(6).toString('hex')}`

let database: TestDatabase
// Run before the database goes: a role cannot be dropped while it owns something there.
const cleanUps: (() => unknown)[] = []

beforeEach(async () => {
  database = await createTestDatabase({ template: 'empty' })
})
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
  await database.drop()
})

test('a table with rows is adopted as it is, and its rows are in the sums', async () => {
  await database.query(originalTable)
  await database.query(insertAsBefore, [5000])
  const before = await database.query(`select ${originalColumns} from token_usage_logs order by id`)

  await migrate(database.pool)

  const after = await database.query(
    `select ${originalColumns.replace('cost_estimate', 'cost_estimate::numeric(10,6)')} from token_usage_logs order by id`,
  )
  expect(after).toEqual(before)
  expect(await findDailySumsDifferences(database)).toEqual([])
  expect(await database.query('select sum(requests) as requests from token_usage_daily')).toEqual([
    { requests: '5000' },
  ])
  expect(
    await database.query('select from token_usage_logs where event_id is not null or usage_source is not null'),
  ).toEqual([])
})

test('no row of programs that go on inserting while a table is adopted is lost or counted twice', async () => {
  await database.query(originalTable)
  await database.query(insertAsBefore, [20_000])
  let acknowledged = 20_000
  let isMigrated = false
  const writeUntilAfterwards = async () => {
    for (let left = 10; left > 0; left -= isMigrated ? 1 : 0) {
      await database.query(insertAsBefore, [3])
      acknowledged += 3
    }
  }

  const writing = Promise.all([1, 2, 3, 4].map(writeUntilAfterwards))
  await migrate(database.connectionString)
  isMigrated = true
  await writing

  expect(await database.query('select count(*)::int as rows from token_usage_logs')).toEqual([{ rows: acknowledged }])
  expect(await findDailySumsDifferences(database)).toEqual([])
})

test.each([
  // A cost of the final type, for rewriting the table would read the row in any case.
  ['an adoption', () => database.query(originalTable.replace('DECIMAL(10,6)', 'DECIMAL(20,12)'))],
  ['a change of the zone', () => migrate(database.pool)],
])('a row committed while %s waits for it is counted, whatever the default isolation is', async (_, prepare) => {
  await prepare()
  const [row] = await database.query('select current_database() as name')
  await database.query(`alter database ${row?.name} set default_transaction_isolation = 'repeatable read'`)
  const writer = await database.pool.connect()
  cleanUps.push(() => writer.release(true))
  await writer.query(`begin; insert into token_usage_logs
    (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    values ('2026-03-01T23:30:00Z', 'ann', 'm', 1, 1, 'chat')`)

  const migration = migrate(database.connectionString, { timeZone: 'Europe/Berlin' })
  await untilBlocked(database)
  await writer.query('commit')
  await migration

  const days = await database.query('select day::text, requests from token_usage_daily')
  expect(days).toEqual([{ day: '2026-03-02', requests: '1' }])
})

test('a program that reads and then writes in one transaction is not broken by a waiting migration', async () => {
  await database.query(originalTable)
  const writer = await database.pool.connect()
  cleanUps.push(() => writer.release(true))
  await writer.query('begin; select count(*) from token_usage_logs')

  const migration = migrate(database.connectionString)
  await untilBlocked(database)
  await writer.query(insertAsBefore, [1])
  await writer.query('commit')
  await migration

  expect(await database.query('select sum(requests) as requests from token_usage_daily')).toEqual([{ requests: '1' }])
})

test('what stands in the way is named with statements that take it away and bring it back, and nothing is changed', async () => {
  await database.query(originalTable)
  await database.query(insertAsBefore, [10])
  await database.query('create schema "Reports"')
  await database.query(
    'create view "Reports".costs with (security_barrier=true) as select user_email, cost_estimate from token_usage_logs',
  )
  await database.query(
    'create materialized view heavy as select user_email, count(*) as calls from "Reports".costs group by 1',
  )
  await database.query('create unique index heavy_by_user on heavy (user_email)')
  await database.query('create table copies (model text)')
  await database.query('create rule copy as on insert to copies do also select model_name from token_usage_logs')
  await database.query('create view times as select id, timestamp from token_usage_logs')

  const error = (await migrate(database.pool).catch((reason: unknown) => reason)) as Error

  expect(error).toBeInstanceOf(MigrationError)
  expect(error.message).toContain('view "Reports".costs')
  expect(error.message).toContain('materialized view heavy')
  expect(error.message).toContain('rule copy on copies')
  expect(error.message).not.toContain('times')
  expect(await database.query("select from pg_class where relname = 'token_usage_migrations'")).toEqual([])

  const [, drops = '', creates = ''] =
    /migrate:\n(.*)Afterwards bring them back, and what was granted on them:\n(.*)/s.exec(error.message) ?? []
  await database.query(drops)
  await migrate(database.pool)
  await database.query(creates)

  expect(await database.query('select calls from heavy')).toHaveLength(7)
  expect(await database.query("select from pg_indexes where indexname = 'heavy_by_user'")).toHaveLength(1)
  expect(
    await database.query("select from pg_class where relname = 'costs' and reloptions = '{security_barrier=true}'"),
  ).toHaveLength(1)
  expect(await database.query("select from pg_rules where rulename = 'copy'")).toHaveLength(1)
})

test.each([
  ['that is behind the ids after a restore is set forward', "select setval('token_usage_logs_id_seq', 3)", 21],
  ['is never set back', "select setval('token_usage_logs_id_seq', 900)", 901],
  ['that was not used yet stays so', 'truncate token_usage_logs restart identity', 1],
  [
    'of another name and owner is set forward',
    `create sequence numbers; alter table token_usage_logs alter column id set default nextval('numbers')`,
    21,
  ],
  [
    'of an identity column is set forward',
    `alter table token_usage_logs alter column id drop default;
    drop sequence token_usage_logs_id_seq;
    alter table token_usage_logs alter column id add generated by default as identity`,
    21,
  ],
])('a sequence %s', async (_, change, nextId) => {
  await database.query(originalTable)
  await database.query(insertAsBefore, [20])
  await database.query(change)

  await migrate(database.pool)

  expect(await database.query(`${insertAsBefore} returning id`, [1])).toEqual([{ id: nextId }])
})

test.each([
  [
    'create table token_usage_logs (id serial, user_email text)',
    /timestamp is missing, user_email may be null, model_name is missing/,
  ],
  [originalTable.replace('TIMESTAMPTZ', 'TIMESTAMP'), /timestamp is timestamp without time zone/],
  ['create view token_usage_logs as select 1 as id', /token_usage_logs is not an ordinary table/],
])('another table of the same name is refused with what differs (%#)', async (sql, message) => {
  await database.query(sql)

  const migration = migrate(database.pool)

  await expect(migration).rejects.toThrow(MigrationError)
  await expect(migration).rejects.toThrow(message)
})

test('everything is created beside the table that is adopted, and belongs to its owner', async () => {
  const role = createRoleName()
  await database.query(`create role ${role}`)
  cleanUps.push(() => database.query(`drop owned by ${role}; drop role ${role}`))
  await database.query(`create schema app authorization ${role}`)
  const [row] = await database.query('select current_database() as name')
  await database.query(`alter database ${row?.name} set search_path = public, app`)
  await database.query(
    `set role ${role}; ${originalTable.replaceAll('token_usage_logs', 'app.token_usage_logs')}; reset role`,
  )

  await migrate(database.connectionString)

  const found = await database.query(`
    select distinct relnamespace::regnamespace::text as schema, pg_get_userbyid(relowner) as owner
    from pg_class
    where relname like 'token_usage%'`)
  expect(found).toEqual([{ schema: 'app', owner: role }])
})

test('a role that may not change the table is told who may', async () => {
  await database.query(originalTable)
  const role = createRoleName()
  await database.query(`create role ${role} login password 'guest'`)
  cleanUps.push(() => database.query(`drop role ${role}`))
  const url = new URL(database.connectionString)
  url.username = role
  url.password = 'guest'

  const migration = migrate(url.href)

  await expect(migration).rejects.toThrow(MigrationError)
  await expect(migration).rejects.toThrow(/permission denied .* Migrate as the owner of token_usage_logs/)
})

test('a column of any name that the table had besides does not disturb the sums', async () => {
  await database.query(originalTable)
  await database.query('alter table token_usage_logs add column zone int, add column direction text')
  await migrate(database.pool)

  await database.query(insertAsBefore, [10])
  await database.query("update token_usage_logs set zone = 1, model_name = 'm'")
  await database.query('delete from token_usage_logs where input_tokens < 5')

  expect(await findDailySumsDifferences(database)).toEqual([])
})
