import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { migrate } from '../../src/postgres/migrator.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'
import { findDailySumsDifferences } from './daily-sums-differences.js'

const writers = 4
const insertCall = `insert into token_usage_logs
  (timestamp, user_email, model_name, input_tokens, output_tokens, request_type, cost_estimate)
  values ($1, $2, 'gpt-4o', 10, 5, 'chat', $3)`

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  await database.query('truncate token_usage_logs')
  await migrate(database.pool, { timeZone: 'UTC' })
})
afterAll(() => database.drop())

const text = fc.constantFrom(null, '', 'a', 'b')
const row = fc.record({
  // Around a midnight, in steps that often coincide.
  timestamp: fc
    .integer({ min: -8, max: 8 })
    .map((step) => new Date(Date.UTC(2026, 2, 29) + step * 1_800_000).toISOString()),
  user_email: fc.constantFrom('ann', 'bob', 'cy'),
  model_name: fc.constantFrom('m1', 'm2'),
  request_type: fc.constantFrom('chat', 'image'),
  provider: text,
  operation: text,
  project: text,
  input_tokens: fc.integer({ min: 0, max: 2_147_483_647 }),
  output_tokens: fc.integer({ min: 0, max: 2_147_483_647 }),
  cache_read_tokens: fc.option(fc.nat(1000)),
  cache_write_tokens: fc.option(fc.nat(1000)),
  reasoning_tokens: fc.option(fc.nat(1000)),
  cost_estimate: fc.constantFrom(null, 'NaN', '0.00000012', '1.5', '99999999.999999999999'),
  input_cost: fc.constantFrom(null, 'NaN', '0.1'),
  output_cost: fc.constantFrom(null, 'NaN', '0.000000000001'),
  other_cost: fc.constantFrom(null, 'NaN', '7'),
  status: fc.constantFrom(null, 'ok', 'error', 'aborted'),
  usage_source: fc.constantFrom(null, 'provider', 'unknown'),
})
const columns = [
  'timestamp, user_email, model_name, request_type, provider, operation, project, input_tokens, output_tokens',
  'cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_estimate, input_cost, output_cost, other_cost',
  'status, usage_source',
].join(', ')
const share = fc.integer({ min: 0, max: 2 })
const statement = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('insert'), rows: fc.array(row, { maxLength: 30 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('update'), rows: fc.tuple(row), share }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('shift'), rows: fc.tuple(row), share }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete'), rows: fc.constant([]), share }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate'), rows: fc.constant([]) }) },
)
// A writer changes rows of its own only: two that change each other's rows wait in a circle without any sums.
const sqlByKind: Record<string, string> = {
  insert: `insert into token_usage_logs (session_id, ${columns})
    select $2, ${columns} from json_populate_recordset(null::token_usage_logs, $1)`,
  update: `update token_usage_logs set (${columns}) = (
      select ${columns} from json_populate_recordset(null::token_usage_logs, $1)
    ) where session_id = $2 and id % 3 = $3`,
  shift: `update token_usage_logs set timestamp = timestamp + interval '30 minutes', input_tokens = 1
    where session_id = $2 and id % 3 = $3 and $1::json is not null`,
  delete: 'delete from token_usage_logs where session_id = $2 and id % 3 = $3 and $1::json is not null',
  truncate: 'truncate token_usage_logs',
}

test('the sums equal the rows after any statements of concurrent writers, and nobody meets a deadlock', async () => {
  await migrate(database.pool, { timeZone: 'Europe/Berlin' })

  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(statement, { minLength: 3, maxLength: 12 }), { minLength: writers, maxLength: writers }),
      async (scripts) => {
        await Promise.all(
          scripts.map(async (script, writer) => {
            for (const { kind, rows, ...rest } of script) {
              const parameters = [JSON.stringify(rows), `writer ${writer}`, ...('share' in rest ? [rest.share] : [])]
              await database.query(sqlByKind[kind] as string, kind === 'truncate' ? [] : parameters)
            }
          }),
        )

        expect(await findDailySumsDifferences(database)).toEqual([])
      },
    ),
    { numRuns: 30, endOnFailure: true },
  )
}, 120_000)

test('writers of many and of few sums never wait for each other in a circle', async () => {
  const insertMany = `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type, session_id)
    select '2026-03-01'::timestamptz + n * interval '1 minute', 'user ' || n, 'm', 1, 1, 'chat', $1
    from generate_series(1, $2) as n
    order by random()`
  const moveMany = `update token_usage_logs set user_email = 'user ' || (substr(user_email, 6)::int * 7 % 200) where session_id = $1`

  await Promise.all(
    [5, 20, 70, 200].map(async (sums) => {
      for (let round = 0; round < 300 / sums; round += 1) {
        await database.query(insertMany, [`writer of ${sums}`, sums])
        await database.query(moveMany, [`writer of ${sums}`])
      }
    }),
  )

  expect(await findDailySumsDifferences(database)).toEqual([])
}, 120_000)

test("a delete that waits for a writer of the same sums keeps that writer's first and last call", async () => {
  const [early, late] = [await database.pool.connect(), await database.pool.connect()]
  onTestFinished(() => {
    for (const client of [early, late]) client.release(true)
  })
  await early.query(insertCall, ['2026-03-01T10:00:00Z', 'ann', '1'])
  await early.query('begin')
  await early.query(insertCall, ['2026-03-01T11:00:00Z', 'ann', '1'])

  const deletion = late.query("delete from token_usage_logs where timestamp = '2026-03-01T10:00:00Z'")
  await untilBlocked(database, { query: 'delete from token_usage_logs' })
  await early.query('commit')
  await deletion

  expect(await findDailySumsDifferences(database)).toEqual([])
})

test('a cost that is not a number counts as unpriced and leaves the sum as it is', async () => {
  for (const cost of ['0.000000120000', 'NaN', null])
    await database.query(insertCall, ['2026-03-01T10:00:00Z', 'ann', cost])

  const sums = await database.query('select requests, cost, unpriced from token_usage_daily')

  expect(sums).toEqual([{ requests: '3', cost: '0.000000120000', unpriced: '2' }])
})

test('a row of sums disappears with its last call', async () => {
  await database.query(insertCall, ['2026-03-01T10:00:00Z', 'ann', '1'])

  await database.query('delete from token_usage_logs')

  expect(await database.query('select * from token_usage_daily')).toEqual([])
})

test('a day is one of the reporting zone, also across a change of the clock', async () => {
  // 29 March 2026 has 23 hours in Berlin: from 23:00 UTC of the day before to 22:00 UTC.
  const times = ['2026-03-28T22:59:59.999Z', '2026-03-28T23:00Z', '2026-03-29T21:59:59.999Z', '2026-03-29T22:00Z']
  for (const time of times) await database.query(insertCall, [time, 'ann', '1'])

  await migrate(database.pool, { timeZone: 'Europe/Berlin' })
  for (const time of times) await database.query(insertCall, [time, 'ann', '1'])

  const days = await database.query('select day::text, requests from token_usage_by_day order by day')
  expect(days).toEqual([
    { day: '2026-03-28', requests: '2' },
    { day: '2026-03-29', requests: '4' },
    { day: '2026-03-30', requests: '2' },
  ])
  expect(await findDailySumsDifferences(database)).toEqual([])
})

test('the first and last call stay right where the clock goes back over midnight', async () => {
  // In St. John's, 29 October 2006 began twice: 0:00 to 0:01 came again an hour later.
  await migrate(database.pool, { timeZone: 'America/St_Johns' })
  for (const time of ['02:30:30', '03:31:30', '04:00:00'])
    await database.query(insertCall, [`2006-10-29T${time}Z`, 'ann', '1'])

  await database.query("delete from token_usage_logs where timestamp = '2006-10-29T04:00:00Z'")

  expect(await findDailySumsDifferences(database)).toEqual([])
})

test('what everybody else has written stays counted when a statement fails', async () => {
  await database.query(insertCall, ['2026-03-01T10:00:00Z', 'ann', '1'])

  const failing = database.query(insertCall, ['2026-03-01T10:00:00Z', null, '1'])

  await expect(failing).rejects.toMatchObject({ code: '23502' })
  expect(await findDailySumsDifferences(database)).toEqual([])
})

test('a role that may only insert, with a search path of its own, has its rows counted', async () => {
  // A role belongs to the whole server, which may be that of other runs too.
  const role = `tokenledger_${randomBytes(6).toString('hex')}`
  await database.query(`create role ${role}`)
  onTestFinished(async () => {
    await database.query(`drop owned by ${role}; drop role ${role}`)
  })
  await database.query(`grant insert on token_usage_logs to ${role}; grant usage on token_usage_logs_id_seq to ${role}`)
  const client = await database.pool.connect()
  onTestFinished(() => client.release(true))
  await client.query(
    `create temporary table token_usage_daily (day date); set role ${role}; set search_path = pg_catalog`,
  )

  const insert = insertCall.replace('token_usage_logs', 'public.token_usage_logs')
  await client.query(insert, ['2026-03-01T10:00:00Z', 'ann', '1'])

  const users = await database.query('select user_email, requests from token_usage_users')
  expect(users).toEqual([{ user_email: 'ann', requests: '1' }])
})

test('nobody else may put the counting functions on a table of their own', async () => {
  const [row] = await database.query(`
    select bool_or(has_function_privilege('public', oid, 'execute')) as allowed
    from pg_proc
    where pronamespace = 'public'::regnamespace and prosecdef`)

  expect(row).toEqual({ allowed: false })
})

test('the views add the sums up by user, by day and by model', async () => {
  await database.query(insertCall, ['2026-03-01T10:00:00Z', 'ann', '1.5'])
  await database.query(insertCall, ['2026-03-02T10:00:00Z', 'ann', null])
  await database.query(insertCall, ['2026-03-02T11:00:00Z', 'bob', '1'])

  const summary = 'requests, input_tokens, output_tokens, cost, unpriced'
  const users = await database.query(`select user_email, ${summary} from token_usage_users order by user_email`)
  const days = await database.query(`select day::text, ${summary} from token_usage_by_day order by day`)
  const models = await database.query(`select provider, model_name, ${summary} from token_usage_by_model`)

  const one = { requests: '1', input_tokens: '10', output_tokens: '5', unpriced: '0' }
  const two = { requests: '2', input_tokens: '20', output_tokens: '10', unpriced: '1' }
  expect(users).toEqual([
    { user_email: 'ann', ...two, cost: '1.500000000000' },
    { user_email: 'bob', ...one, cost: '1.000000000000' },
  ])
  expect(days).toEqual([
    { day: '2026-03-01', ...one, cost: '1.500000000000' },
    { day: '2026-03-02', ...two, cost: '1.000000000000' },
  ])
  expect(models).toEqual([
    {
      provider: '',
      model_name: 'gpt-4o',
      ...two,
      requests: '3',
      input_tokens: '30',
      output_tokens: '15',
      cost: '2.500000000000',
    },
  ])
})
