import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readDeadLetters, retryDeadLetters } from '../../src/postgres/dead-letters.js'
import { PostgresUsageExporter } from '../../src/postgres/usage-exporter.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'
import type { UsageRecord } from '../../src/usage/usage-record.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

let database: TestDatabase

const recordOf = (entry: object): UsageRecord =>
  toUsageRecord(draftRecord({ modelName: 'm', inputTokens: 1, outputTokens: 2, ...entry }, {}, Date.now()))

beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  await database.drop()
})

async function keep(records: readonly UsageRecord[]): Promise<void> {
  const exporter = new PostgresUsageExporter(database.pool, 'borrowed')
  for (const record of records) await exporter.exportDeadLetter(record, { code: '22003', message: 'too large' })
  await exporter.close()
}

const keptIds = async () =>
  (await database.query('select event_id from token_usage_dead_letters order by failed_at')).map((row) => row.event_id)
const storedIds = async () =>
  (await database.query('select event_id from token_usage_logs order by id')).map((row) => row.event_id)

test('a dead letter that is sent again is the row that its record would have been', async () => {
  const record = recordOf({
    timestamp: Date.UTC(2026, 4, 6, 7, 8, 9, 123),
    userEmail: 'ä@example.com',
    costEstimate: '0.000000120001',
    cacheReadTokens: 0,
    metadata: { tag: 'ß', nested: { n: 1 } },
    rawUsage: { prompt_tokens: 1 },
  })
  await keep([record])

  const result = await retryDeadLetters(database.pool)
  const [row] = await database.query('select * from token_usage_logs')

  expect(result).toEqual({ found: 1, written: 1, dropped: 0, refused: 0, refusals: [] })
  expect(await keptIds()).toEqual([])
  expect(row).toMatchObject({
    event_id: record.eventId,
    timestamp: new Date(record.timestamp),
    user_email: 'ä@example.com',
    cost_estimate: '0.000000120001',
    cache_read_tokens: 0,
    cache_write_tokens: null,
    metadata: { tag: 'ß', nested: { n: 1 } },
    raw_usage: { prompt_tokens: 1 },
  })
})

test('what is refused again stays, and everything around it is written', async () => {
  await database.query(`alter table token_usage_logs add check (model_name <> 'poison')`)
  const records = Array.from({ length: 21 }, (_, index) => recordOf({ modelName: index % 10 === 3 ? 'poison' : 'm' }))
  await keep(records)

  const result = await retryDeadLetters(database.pool)

  expect(result).toMatchObject({
    found: 21,
    written: 19,
    dropped: 0,
    refused: 2,
    refusals: [{ code: '23514', records: 2 }],
  })
  expect(await keptIds()).toEqual([records[3]?.eventId, records[13]?.eventId])
  expect(await storedIds()).toHaveLength(19)
})

test('a record whose row is there already is not written twice, and its dead letter goes', async () => {
  const record = recordOf({})
  const exporter = new PostgresUsageExporter(database.pool, 'borrowed')
  await exporter.export([record])
  await keep([record])

  const result = await retryDeadLetters(database.pool)

  expect(result).toMatchObject({ written: 1 })
  expect(await storedIds()).toEqual([record.eventId])
  expect(await keptIds()).toEqual([])
})

test('a failure between the insert and the removal loses nothing, and the next run stores nothing twice', async () => {
  const records = [recordOf({}), recordOf({})]
  await keep(records)
  const breaking = failOnce(database.pool, /^delete/)

  const broken = await retryDeadLetters(breaking).catch((error: Error) => error.message)
  const keptMeanwhile = await keptIds()
  const result = await retryDeadLetters(database.pool)

  expect(broken).toBe('cut')
  expect(keptMeanwhile).toHaveLength(2)
  expect(result).toMatchObject({ found: 2, written: 2 })
  expect((await storedIds()).sort()).toEqual(records.map(({ eventId }) => eventId).sort())
})

test('a table that takes nothing leaves every dead letter where it is', async () => {
  await keep([recordOf({}), recordOf({})])
  await database.query('alter table token_usage_logs rename to elsewhere')

  const retrying = retryDeadLetters(database.pool)

  await expect(retrying).rejects.toMatchObject({ kind: 'configuration', reason: '42P01' })
  expect(await keptIds()).toHaveLength(2)
})

test('the one that is asked for is sent alone; counting sends none', async () => {
  const records = [recordOf({}), recordOf({}), recordOf({})]
  await keep(records)

  const counted = await retryDeadLetters(database.pool, { mode: 'count' })
  const storedByCounting = await storedIds()
  const sent = await retryDeadLetters(database.pool, { eventId: records[1]?.eventId })

  expect(counted).toEqual({ found: 3, written: 0, dropped: 0, refused: 0, refusals: [] })
  expect(storedByCounting).toEqual([])
  expect(sent).toMatchObject({ found: 1, written: 1 })
  expect(await keptIds()).toEqual([records[0]?.eventId, records[2]?.eventId])
})

test('a record that was mended by hand is written under the id of its dead letter', async () => {
  const eventId = '00000000-0000-4000-8000-000000000001'
  await database.query(
    `insert into token_usage_dead_letters (event_id, code, reason, record) values ($1, '22P05', 'r', '{"modelName": "m"}')`,
    [eventId],
  )

  await retryDeadLetters(database.pool)

  expect(await storedIds()).toEqual([eventId])
})

test('text that is no record stays, and is told', async () => {
  await database.query(
    `insert into token_usage_dead_letters (event_id, code, reason, record)
    values (gen_random_uuid(), '22P05', 'r', '["something else"]')`,
  )

  const result = await retryDeadLetters(database.pool)

  expect(result).toMatchObject({ found: 1, written: 0, dropped: 0, refused: 1, refusals: [{ code: 'not a record' }] })
  expect(await keptIds()).toHaveLength(1)
})

test('pages hold every dead letter once, the oldest first, also where many are of the same moment', async () => {
  await database.query(
    `insert into token_usage_dead_letters (event_id, failed_at, code, reason, record)
    select gen_random_uuid(), timestamptz '2026-01-01Z' - n / 150 * interval '1 microsecond', '22003', 'r', '{}'
    from generate_series(1, 450) as n`,
  )

  const pages: { eventId: string; failedAt: string }[][] = []
  for await (const page of readDeadLetters(database.pool)) pages.push(page)

  const letters = pages.flat()
  expect(pages.map(({ length }) => length)).toEqual([200, 200, 50])
  expect(new Set(letters.map(({ eventId }) => eventId)).size).toBe(450)
  expect(letters.map(({ failedAt }) => failedAt)).toEqual(letters.map(({ failedAt }) => failedAt).sort())
})

/** The pool, whose first query that matches fails without reaching the server. */
function failOnce(pool: pg.Pool, pattern: RegExp): pg.Pool {
  let isSpent = false
  const query = (text: string, values?: unknown[]) => {
    if (isSpent || !pattern.test(text)) return pool.query(text, values)
    isSpent = true
    return Promise.reject(new Error('cut'))
  }
  return new Proxy(pool, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target)
      if (name === 'query') return query
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
