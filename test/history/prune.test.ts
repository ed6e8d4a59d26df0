import { afterEach, beforeEach, expect, test } from 'vitest'
import { countPrunable, findPruneBoundary, prune } from '../../src/history/prune.js'
import { migrate } from '../../src/postgres/migrator.js'
import { repairDailySums, verify } from '../../src/postgres/verify.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

/** One call an hour over the days from `from` to `to`, counted backwards from now, of three users and two models. */
async function insertDays(from: number, to: number): Promise<void> {
  await database.query(
    `insert into token_usage_logs
      (event_id, timestamp, user_email, model_name, input_tokens, output_tokens, request_type, cost_estimate)
    select gen_random_uuid(), at, 'u' || n % 3, 'm' || n % 2, n, 1, 'chat', 0.25
    from generate_series(now() - $1 * interval '1 day', now() - $2 * interval '1 day', interval '1 hour')
      with ordinality as calls (at, n)`,
    [from, to],
  )
}

const sumsOf = (days: string) =>
  database.query(`select * from token_usage_daily where ${days} order by day, user_email, provider, model_name`)

test('rows of before the day go with their sums, in chunks, and nothing else does', async () => {
  await insertDays(40, 0)
  const boundary = await findPruneBoundary(database.pool, 30)
  const [old] = await database.query('select count(*)::int as rows from token_usage_logs where timestamp < $1', [
    boundary.startsAt,
  ])
  const keptSums = await sumsOf(`day >= '${boundary.day}'`)
  const counted = await countPrunable(database.pool, boundary, {})

  const pruned = await prune(database.pool, boundary, { chunkRows: 7 })

  expect(pruned).toEqual(counted)
  expect(pruned.rows).toBe(old?.rows)
  expect(old?.rows).toBeGreaterThan(200)
  expect(await sumsOf('true')).toEqual(keptSums)
  expect(await verify(database.pool)).toMatchObject({ differences: 0, refusals: { unprunedRows: 0 } })
})

test('the boundary is a midnight of the reporting zone, and a call at that very moment stays', async () => {
  await migrate(database.pool, { timeZone: 'America/New_York' })
  const boundary = await findPruneBoundary(database.pool, 10)
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    values
      ($1::timestamptz, 'u', 'first kept', 1, 1, 'chat'),
      ($1::timestamptz - interval '1 microsecond', 'u', 'last pruned', 1, 1, 'chat')`,
    [boundary.startsAt],
  )

  await prune(database.pool, boundary)

  const [start] = await database.query(
    `select to_char($1::timestamptz at time zone 'America/New_York', 'HH24:MI') as at`,
    [boundary.startsAt],
  )
  expect(start?.at).toBe('00:00')
  expect(await database.query('select model_name from token_usage_logs')).toEqual([{ model_name: 'first kept' }])
  expect(await sumsOf('true')).toMatchObject([{ model_name: 'first kept' }])
})

test('sums that are kept outlive their rows to the last decimal, verify leaves them out, and a repair leaves them alone', async () => {
  await insertDays(40, 0)
  const before = await sumsOf('true')
  const boundary = await findPruneBoundary(database.pool, 30)

  const pruned = await prune(database.pool, boundary, { keepDaily: true, chunkRows: 50 })
  const verified = await verify(database.pool)
  await repairDailySums(database.pool)
  await database.query(`delete from token_usage_logs where user_email = 'u1'`)

  expect(pruned).toMatchObject({ dailySums: 0 })
  expect(verified).toMatchObject({ differences: 0, refusals: { unprunedRows: 0 } })
  expect(await sumsOf(`day < '${boundary.day}'`)).toEqual(
    before.filter(({ day }) => day < new Date(`${boundary.day}T00:00`)),
  )
  expect(await sumsOf(`day >= '${boundary.day}' and user_email = 'u1'`)).toEqual([])
  expect(await verify(database.pool)).toMatchObject({ differences: 0 })
})

test('kept sums go with a later prune that does not keep them, and then the zone may be changed again', async () => {
  await insertDays(40, 0)
  await prune(database.pool, await findPruneBoundary(database.pool, 30), { keepDaily: true })
  const refusal = migrate(database.pool, { timeZone: 'Asia/Tokyo' })
  await expect(refusal).rejects.toThrow(/outlived their rows/)
  const far = await prune(database.pool, await findPruneBoundary(database.pool, 35))

  const near = await prune(database.pool, await findPruneBoundary(database.pool, 30))
  await migrate(database.pool, { timeZone: 'America/Los_Angeles' })

  expect(far).toMatchObject({ rows: 0, deadLetters: 0 })
  expect([far.dailySums, near.dailySums].every((sums) => sums > 10)).toBe(true)
  expect(await verify(database.pool)).toMatchObject({ differences: 0 })
})

test('E2: rows of before that come late are refused and counted, whoever writes them, and no sum counts them twice', async () => {
  await insertDays(40, 0)
  const boundary = await findPruneBoundary(database.pool, 30)
  await database.query('create table replayed as select * from token_usage_logs')
  await prune(database.pool, boundary, { keepDaily: true })
  const [sums, rows] = [await sumsOf('true'), await database.query('select id from token_usage_logs order by id')]

  await database.query('insert into token_usage_logs select * from replayed on conflict (event_id) do nothing')
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    values ('2020-01-01Z', 'u', 'm', 1, 1, 'chat'), (now(), 'u', 'm', 1, 1, 'chat')`,
  )

  const [expired] = await database.query('select count(*)::int + 1 as rows from replayed where timestamp < $1', [
    boundary.startsAt,
  ])
  const verified = await verify(database.pool)
  expect(verified).toMatchObject({ differences: 0, rows: rows.length + 1, refusals: { expired: expired?.rows } })
  expect(await sumsOf(`user_email <> 'u'`)).toEqual(sums)
  expect(await sumsOf(`user_email = 'u'`)).toMatchObject([{ requests: '1' }])
})

test('a write that had begun before is waited for, and its old rows go as well', async () => {
  const writer = await database.pool.connect()
  await writer.query('begin')
  await writer.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    values (now() - interval '99 days', 'u', 'm', 1, 1, 'chat')`,
  )
  const pruning = prune(database.pool, await findPruneBoundary(database.pool, 30), { keepDaily: true })
  await untilBlocked(database)
  await writer.query('commit')
  writer.release()

  expect(await pruning).toMatchObject({ rows: 1 })
  expect(await sumsOf('true')).toMatchObject([{ requests: '1' }])
})

test('dead letters of that time go, later ones stay', async () => {
  await database.query(
    `insert into token_usage_dead_letters (event_id, failed_at, code, reason, record)
    values
      (gen_random_uuid(), now() - interval '50 days', 'old', '', '{}'),
      (gen_random_uuid(), now(), 'new', '', '{}')`,
  )

  const pruned = await prune(database.pool, await findPruneBoundary(database.pool, 30))

  expect(pruned).toEqual({ rows: 0, dailySums: 0, deadLetters: 1 })
  expect(await database.query('select code from token_usage_dead_letters')).toEqual([{ code: 'new' }])
})

test('what is stopped is whole chunks, and the next run goes on from there', async () => {
  await insertDays(40, 0)
  const boundary = await findPruneBoundary(database.pool, 30)
  const stop = new AbortController()
  const [before] = await database.query('select count(*)::int as rows from token_usage_logs')
  let chunks = 0
  const counting = new Proxy(database.pool, {
    get: (pool, name) => {
      if (name !== 'connect') return Reflect.get(pool, name).bind?.(pool)
      return () => {
        chunks += 1
        if (chunks === 3) stop.abort()
        return pool.connect()
      }
    },
  })

  const first = await prune(counting, boundary, { chunkRows: 10, signal: stop.signal })
  const between = await verify(database.pool)
  const second = await prune(database.pool, boundary, { chunkRows: 10 })

  expect(first.rows).toBe(20)
  expect(between).toMatchObject({ rows: before?.rows - 20, differences: 0, refusals: { unprunedRows: second.rows } })
  expect(await verify(database.pool)).toMatchObject({ rows: before?.rows - 20 - second.rows, differences: 0 })
})

test('of two that prune at once one does the work, and the other says so', async () => {
  await insertDays(40, 0)
  const other = await database.pool.connect()
  await other.query('begin; select pg_advisory_xact_lock(7093245115309862815)')

  const pruning = prune(database.pool, await findPruneBoundary(database.pool, 30))

  await expect(pruning).rejects.toMatchObject({ code: 'TOKENLEDGER_BUSY' })
  other.release(true)
})

test('tables that stay locked are named with who locks them, and nothing is changed', async () => {
  const other = await database.pool.connect()
  await other.query('begin; lock table token_usage_logs in row exclusive mode')

  const pruning = prune(database.pool, await findPruneBoundary(database.pool, 30))

  await expect(pruning).rejects.toMatchObject({
    code: 'TOKENLEDGER_LOCKED',
    message: expect.stringMatching(/stay locked, by process \d+/),
  })
  expect(await database.query('select pruned_before from token_usage_settings')).toEqual([{ pruned_before: null }])
  other.release(true)
})
