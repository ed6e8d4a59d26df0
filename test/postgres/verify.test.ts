import { afterEach, beforeEach, expect, test } from 'vitest'
import { repairDailySums, verify } from '../../src/postgres/verify.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { findDailySumsDifferences } from './daily-sums-differences.js'

let database: TestDatabase

const columns = [
  'requests',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'reasoning_tokens',
  'cost',
  'input_cost',
  'output_cost',
  'other_cost',
  'unpriced',
  'unknown',
  'aborted',
  'failed',
]

beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  await database.drop()
})

async function insertCalls(count: number): Promise<void> {
  await database.query(
    `insert into token_usage_logs
      (timestamp, user_email, model_name, input_tokens, output_tokens, request_type, event_id, provider,
       cost_estimate, input_cost, status, usage_source)
    select
      timestamptz '2026-03-28 20:00:00.123456Z' + n * interval '37 minutes', 'u' || n % 3, 'm' || n % 2, n, 2 * n, 'chat',
      case when n % 5 > 0 then gen_random_uuid() end, nullif('p' || n % 2, 'p1'),
      case n % 4 when 0 then null when 1 then 'NaN' else n * 0.000000000001 end, n * 0.000000000003,
      case n % 3 when 0 then 'aborted' when 1 then 'error' end, case when n % 6 = 0 then 'unknown' end
    from generate_series(1, $1::int) as n`,
    [count],
  )
}

test('sums that the triggers kept are equal to the rows, in a reporting zone with a change of the clocks too', async () => {
  await database.query(`update token_usage_settings set time_zone = 'Europe/Berlin'`)
  await insertCalls(200)

  const result = await verify(database.pool)

  expect(result).toMatchObject({ rows: 200, rowsWithoutEventId: 40, differences: 0, firstDifferences: [] })
})

test('rows with a time that has not come by the clock of the database are counted, a few minutes forgiven', async () => {
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    select at, 'u', 'm', 1, 2, 'chat'
    from unnest(array[now(), now() + interval '4 minutes', now() + interval '6 minutes', 'infinity']) as at`,
  )

  expect(await verify(database.pool)).toMatchObject({ rows: 4, rowsInTheFuture: 2, differences: 0 })
})

test.each(columns)('a difference in the last decimal of %s is found and named', async (column) => {
  await insertCalls(20)
  const [sums] = await database.query(
    `update token_usage_daily set ${column} = ${column} + ${/cost/.test(column) ? '0.000000000001' : '1'}
    where (day, user_email, model_name) = ('2026-03-29', 'u1', 'm0') returning ${column}::text as kept`,
  )

  const result = await verify(database.pool)

  expect(result.differences).toBe(1)
  expect(result.firstDifferences).toMatchObject([
    { day: '2026-03-29', userEmail: 'u1', modelName: 'm0', provider: 'p0', requestType: 'chat' },
  ])
  expect(result.firstDifferences[0]?.columns).toEqual([{ name: column, kept: sums?.kept, counted: expect.any(String) }])
})

test.each(['first_at', 'last_at'])('a microsecond in %s is a difference', async (column) => {
  await insertCalls(1)
  await database.query(`update token_usage_daily set ${column} = ${column} + interval '1 microsecond'`)

  const { firstDifferences } = await verify(database.pool)

  expect(firstDifferences[0]?.columns).toEqual([
    { name: column, kept: '2026-03-28T20:37:00.123457+00:00', counted: '2026-03-28T20:37:00.123456+00:00' },
  ])
})

test('sums without rows and rows without sums are differences; all are counted, and ten are named', async () => {
  await insertCalls(1)
  await database.query(`update token_usage_daily set day = '2020-01-01'`)
  await database.query(
    `insert into token_usage_daily (day, user_email, first_at, last_at)
    select date '2027-01-01' + n, '', now(), now() from generate_series(1, 20) as n`,
  )

  const { differences, firstDifferences } = await verify(database.pool)

  expect(differences).toBe(22)
  expect(firstDifferences).toHaveLength(10)
  expect(firstDifferences.slice(0, 2).map(({ day, columns: [requests] }) => ({ day, requests }))).toEqual([
    { day: '2020-01-01', requests: { name: 'requests', kept: '1', counted: null } },
    { day: '2026-03-28', requests: { name: 'requests', kept: null, counted: '1' } },
  ])
})

test('a repair makes the sums equal to the rows again', async () => {
  await insertCalls(50)
  await database.query('delete from token_usage_daily where user_email = $1', ['u1'])
  await database.query('update token_usage_daily set cost = cost + 1')

  await repairDailySums(database.pool)

  expect(await verify(database.pool)).toMatchObject({ rows: 50, differences: 0 })
  expect(await findDailySumsDifferences(database)).toEqual([])
})

test('dead letters are counted, and losses added up by reason', async () => {
  await database.query(
    `insert into token_usage_dead_letters (event_id, code, reason, record)
    select gen_random_uuid(), '22003', 'r', '{}' from generate_series(1, 3)`,
  )
  await database.query(
    `insert into token_usage_losses (id, reason, records, input_tokens, output_tokens, first_at, last_at)
    values
      (gen_random_uuid(), 'memory_full', 2, 10, 1, '2026-01-01Z', '2026-01-02Z'),
      (gen_random_uuid(), 'memory_full', 3, 20, 2, '2026-01-03Z', '2026-01-04Z'),
      (gen_random_uuid(), 'shutdown', 1, 7, 8, '2026-01-05Z', '2026-01-06Z')`,
  )

  const { deadLetters, losses } = await verify(database.pool)

  expect(deadLetters).toBe(3)
  const [firstAt, lastAt] = ['2026-01-01T00:00:00.000Z', '2026-01-04T00:00:00.000Z']
  expect(losses).toMatchObject([
    { reason: 'memory_full', records: 5, inputTokens: 30, outputTokens: 3, firstAt, lastAt },
    { reason: 'shutdown', records: 1, inputTokens: 7, outputTokens: 8 },
  ])
})

test('the ids are measured by the type of their column and by their sequence, whichever ends first', async () => {
  await database.query(
    `alter sequence token_usage_logs_id_seq as bigint; select setval('token_usage_logs_id_seq', 1717986918)`,
  )
  const boundByColumn = await verify(database.pool)
  await database.query('alter table token_usage_logs alter column id type bigint')
  const bigint = await verify(database.pool)
  await database.query('alter sequence token_usage_logs_id_seq as integer')
  const boundBySequence = await verify(database.pool)

  const nearItsEnd = { lastId: 1717986918, highestId: 2147483647, share: expect.closeTo(0.8, 5) }
  expect(boundByColumn.idSequence).toEqual(nearItsEnd)
  expect(bigint.idSequence?.share).toBeLessThan(0.001)
  expect(boundBySequence.idSequence).toEqual(nearItsEnd)
})

test('what is written while it compares belongs to none of its counts', async () => {
  await insertCalls(10)
  const writing = new Proxy(database.pool, {
    get: (pool, name) => (name === 'connect' ? () => connectAndWrite() : Reflect.get(pool, name, pool)),
  })
  const connectAndWrite = async () => {
    const client = await database.pool.connect()
    return new Proxy(client, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target)
        if (name !== 'query') return typeof value === 'function' ? value.bind(target) : value
        return async (text: string, values?: unknown[]) => {
          const result = await target.query(text, values)
          if (text.includes('differing')) await insertCalls(5)
          return result
        }
      },
    })
  }

  const result = await verify(writing)

  expect(result).toMatchObject({ rows: 10, differences: 0 })
  expect(await verify(database.pool)).toMatchObject({ rows: 15, differences: 0 })
})

test('sums by user and day that differ from the daily sums are differences, and a repair counts them anew', async () => {
  const other = await createTestDatabase()
  await other.query(`insert into token_usage_logs (user_email, model_name, input_tokens, output_tokens, request_type)
    values ('ann@example.com', 'm', 3, 1, 'chat')`)
  await other.query('update token_usage_user_days set requests = 99')

  const before = await verify(other.pool)
  await repairDailySums(other.pool)
  const after = await verify(other.pool)
  const sums = await other.query('select requests::int, input_tokens::int from token_usage_user_days')
  await other.drop()

  expect([before.differences, after.differences]).toEqual([1, 0])
  expect(sums).toEqual([{ requests: 1, input_tokens: 3 }])
})
