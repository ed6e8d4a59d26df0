import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { backfill } from '../../src/history/backfill.js'
import type { BackfillOptions } from '../../src/history/backfill-table.js'
import { eraseUser } from '../../src/history/erase-user.js'
import { prune } from '../../src/history/prune.js'
import { tokensByCharacters } from '../../src/history/tokens-by-characters.js'
import { verify } from '../../src/postgres/verify.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
beforeEach(async () => {
  await database.query('drop table if exists prompts, responses, quotas; truncate token_usage_logs')
  await database.query(
    `create table prompts (id serial primary key, user_id text, prompt text, model text, tokens_used int, timestamp timestamptz)`,
  )
  await database.query(`create table responses (id serial primary key, prompt_id bigint, response text)`)
  await database.query(`create table quotas (user_id text primary key, used_today int)`)
})
afterAll(() => database.drop())

const prompts: BackfillOptions = { table: 'prompts', tokensColumn: 'tokens_used' }
const withResponses: BackfillOptions = { ...prompts, responseTable: 'responses' }

async function insertPrompts(): Promise<void> {
  await database.query(
    `insert into prompts (user_id, prompt, model, tokens_used, timestamp) values
      ('ada', repeat('a', 400), 'gpt-4o', 0, '2026-01-01 10:00Z'),
      ('bob', 'hi', 'gpt-4o', null, '2026-01-03 10:00Z'),
      ('ada', repeat('b', 400), 'gpt-4o', 77, '2026-01-02 10:00Z'),
      (null, repeat('c', 40), null, 0, '2026-01-02 10:00Z'),
      ('cid', '', 'gpt-4o', 0, '2026-01-05 10:00Z'),
      ('cid', null, 'gpt-4o', null, null)`,
  )
  await database.query(
    `insert into responses (prompt_id, response) values (1, repeat('x', 1000)), (1, 'y'), (1, ''), (2, null), (6, '${'😀'.repeat(80)}')`,
  )
  await database.query(`insert into quotas values ('ada', 5), ('bob', null), ('dot', 1)`)
}

const counts = async (): Promise<unknown[]> =>
  (await database.query('select tokens_used from prompts order by id')).map((row) => row.tokens_used)

describe('an estimate by characters', () => {
  test('is floor(length / 4 * 1.1), and at least 10 for any text', () => {
    const differing = Array.from({ length: 200_000 }, (_, n) => n + 1).filter(
      (length) => tokensByCharacters(length) !== Math.max(10, Math.floor((length / 4) * 1.1)),
    )

    expect(differing).toEqual([])
    expect([0, 1, 36, 39, 40, 400, 4001].map(tokensByCharacters)).toEqual([0, 10, 10, 10, 11, 110, 1100])
  })
})

describe('a backfill', () => {
  test('fills counts that are 0 or NULL from prompt and responses, and touches no other', async () => {
    await insertPrompts()

    const result = await backfill(database.pool, withResponses)

    expect(await counts()).toEqual([110 + 275 + 10, 10, 77, 11, 0, 22])
    expect(result).toEqual({
      table: 'public.prompts',
      mode: 'run',
      method: 'chars',
      rows: 4,
      tokens: 438,
      users: 3,
      quotas: 0,
      withoutQuota: 0,
      logged: 0,
      refused: 0,
      withoutTime: 0,
    })
  })

  test('lists rows with their lengths, the newest first, and quotas, and changes nothing in a dry run', async () => {
    await insertPrompts()
    const rows: unknown[] = []
    const quotas: unknown[] = []

    const result = await backfill(
      database.pool,
      { ...withResponses, quotaTable: 'quotas' },
      {
        mode: 'dry-run',
        onRow: ({ id, promptLength, responseLengths, promptTokens, responseTokens }) =>
          rows.push([id, promptLength, responseLengths, promptTokens, responseTokens]),
        onQuota: (change) => quotas.push(change),
      },
    )

    expect(rows).toEqual([
      ['2', 2, [], 10, 0],
      ['4', 40, [], 11, 0],
      ['1', 400, [1000, 1], 110, 285],
      ['6', 0, [80], 0, 22],
    ])
    expect(quotas).toEqual([
      { user: 'ada', before: '5', after: '400', tokens: '395' },
      { user: 'bob', before: '0', after: '10', tokens: '10' },
    ])
    expect(result).toMatchObject({ mode: 'dry-run', rows: 4, tokens: 438, users: 3, quotas: 2, withoutQuota: 1 })
    expect(await counts()).toEqual([0, null, 77, 0, 0, null])
    expect(await database.query('select * from quotas order by 1')).toEqual([
      { user_id: 'ada', used_today: 5 },
      { user_id: 'bob', used_today: null },
      { user_id: 'dot', used_today: 1 },
    ])
  })

  test('adds to quotas what it filled, once', async () => {
    await insertPrompts()

    await backfill(database.pool, { ...withResponses, quotaTable: 'quotas' })
    const again = await backfill(database.pool, { ...withResponses, quotaTable: 'quotas' })

    expect(again).toMatchObject({ rows: 0, tokens: 0, users: 0 })
    expect(await database.query('select * from quotas order by 1')).toEqual([
      { user_id: 'ada', used_today: 400 },
      { user_id: 'bob', used_today: 10 },
      { user_id: 'dot', used_today: 1 },
    ])
  })

  test('takes the response from a column of the same table', async () => {
    await database.query(`alter table prompts add "Answer" text`)
    await database.query(
      `insert into prompts (prompt, "Answer", timestamp) values ('hi', repeat('x', 80), now()), ('', repeat('x', 80), now()), ('hi', null, now())`,
    )

    await backfill(database.pool, { ...prompts, responseColumn: 'Answer' })

    expect(await counts()).toEqual([32, 22, 10])
  })

  test('finds rows by ids of any type, and by names as hostile as PostgreSQL takes', async () => {
    await database.query(
      `create table "Pro""mpts;" ("I d" uuid primary key default gen_random_uuid(), "select" text, "To;--" numeric, "At" timestamp)`,
    )
    await database.query(`create table answers ("For" text, "order" json)`)
    await database.query(`insert into "Pro""mpts;" ("select", "At") values ('one', now()), ('two', null)`)
    await database.query(
      `insert into answers select "I d"::text, '{"a":"${'x'.repeat(72)}"}' from "Pro""mpts;" where "select" = 'one'`,
    )

    const result = await backfill(database.pool, {
      table: 'Pro"mpts;',
      promptColumn: 'select',
      tokensColumn: 'To;--',
      idColumn: 'I d',
      timeColumn: 'At',
      responseTable: 'answers',
      responseColumn: 'order',
      responseKey: 'For',
    })

    expect(result).toMatchObject({ rows: 2, tokens: 42, users: undefined })
    expect(await database.query('select "To;--"::text as t from "Pro""mpts;" order by 1 desc')).toEqual([
      { t: '32' },
      { t: '10' },
    ])
  })

  test('leaves a count that another writer set while it ran, and its tokens out of the quota', async () => {
    await insertPrompts()
    const writer = await database.pool.connect()
    await writer.query('begin')
    await writer.query('update prompts set tokens_used = 5 where id = 1')

    const running = backfill(database.pool, { ...withResponses, quotaTable: 'quotas' })
    await untilBlocked(database)
    await writer.query('commit')
    writer.release()

    expect(await running).toMatchObject({ rows: 3, tokens: 43 })
    expect(await counts()).toEqual([5, 10, 77, 11, 0, 22])
    expect(await database.query(`select used_today from quotas where user_id = 'ada'`)).toEqual([{ used_today: 5 }])
  })

  test('that runs twice at the same time fills each count once', async () => {
    await insertPrompts()
    const options = { ...withResponses, quotaTable: 'quotas', intoLog: true }

    const results = await Promise.all([backfill(database.pool, options), backfill(database.pool, options)])

    expect(results.map(({ rows }) => rows).sort()).toEqual([0, 4])
    expect(await database.query(`select used_today from quotas where user_id = 'ada'`)).toEqual([{ used_today: 400 }])
    expect(await database.query('select count(*)::int as count from token_usage_logs')).toEqual([{ count: 3 }])
  })

  test('tells how far it is every 10 rows', async () => {
    await database.query(`insert into prompts (prompt, timestamp) select 'hello', now() from generate_series(1, 25)`)
    const told: number[][] = []

    await backfill(database.pool, prompts, { onProgress: (done, total) => told.push([done, total]) })

    expect(told).toEqual([
      [10, 25],
      [20, 25],
      [25, 25],
    ])
  })

  test('changes nothing when one row cannot be filled', async () => {
    await insertPrompts()
    await database.query('alter table prompts add constraint small check (tokens_used < 300)')

    await expect(backfill(database.pool, { ...withResponses, quotaTable: 'quotas' })).rejects.toThrow()

    expect(await counts()).toEqual([0, null, 77, 0, 0, null])
  })

  test('counts with the tokenizer of the model if asked to', async () => {
    await database.query(
      `insert into prompts (prompt, model, timestamp) values
        ('Hello, world! 你好，世界', 'gpt-4', now()), ('Hello, world! 你好，世界', 'gpt-4o', now()), ('Hello, world! 你好，世界', null, now())`,
    )

    const result = await backfill(database.pool, {
      ...prompts,
      method: 'tokenizer',
      modelColumn: 'model',
      model: 'gpt-4',
    })

    const [cl100k, o200k, fallback] = (await counts()) as number[]
    expect(result.method).toBe('tokenizer')
    expect(cl100k).toBeGreaterThan(o200k ?? 0)
    expect(fallback).toBe(cl100k)
  })
})

describe('a backfill into the log', () => {
  const logged = () =>
    database.query(
      `select user_email, model_name, input_tokens, output_tokens, usage_source, timestamp, raw_usage from token_usage_logs order by timestamp desc`,
    )

  test('adds an estimated row for each that it fills, at its own time, and keeps the sums', async () => {
    await insertPrompts()

    const result = await backfill(database.pool, {
      ...withResponses,
      modelColumn: 'model',
      model: 'some',
      intoLog: true,
    })

    expect(result).toMatchObject({ rows: 4, logged: 3, withoutTime: 1 })
    const rawUsage = { estimated: ['inputTokens', 'outputTokens'], method: 'chars' }
    const common = { usage_source: 'estimated', raw_usage: rawUsage }
    expect(await logged()).toEqual([
      {
        ...common,
        user_email: 'bob',
        model_name: 'gpt-4o',
        input_tokens: 10,
        output_tokens: 0,
        timestamp: new Date('2026-01-03T10:00Z'),
      },
      {
        ...common,
        user_email: 'anonymous',
        model_name: 'some',
        input_tokens: 11,
        output_tokens: 0,
        timestamp: new Date('2026-01-02T10:00Z'),
      },
      {
        ...common,
        user_email: 'ada',
        model_name: 'gpt-4o',
        input_tokens: 110,
        output_tokens: 285,
        timestamp: new Date('2026-01-01T10:00Z'),
      },
    ])
    expect(await verify(database.pool)).toMatchObject({ rows: 3, differences: 0 })
  })

  test('adds no row at a time that was never filled in, and says so', async () => {
    await database.query(
      `insert into prompts (prompt, timestamp) values ('epoch', 'epoch'), ('never', '-infinity'), ('ever', 'infinity')`,
    )

    const result = await backfill(database.pool, { table: 'prompts', intoLog: true })

    expect(await logged()).toEqual([])
    expect(result).toMatchObject({ rows: 3, logged: 0, withoutTime: 3 })
  })

  test('alone leaves the table as it is, and adds each row once', async () => {
    await insertPrompts()
    const options: BackfillOptions = { table: 'prompts', responseTable: 'responses', intoLog: true }

    const preview = await backfill(database.pool, options, { mode: 'dry-run' })
    const result = await backfill(database.pool, options)
    const again = await backfill(database.pool, options)

    expect(preview).toMatchObject({ rows: 5, logged: 4 })
    expect(result).toMatchObject({ rows: 5, logged: 4, withoutTime: 1 })
    expect(again).toMatchObject({ logged: 0 })
    expect(await counts()).toEqual([0, null, 77, 0, 0, null])
  })
})

test('a dry run into the log counts as the run does, users who were erased and days that were pruned', async () => {
  await insertPrompts()
  await eraseUser(database.pool, 'Ada')
  await prune(database.pool, { day: '2026-01-02', startsAt: '2026-01-02T12:00:00Z' })
  const options: BackfillOptions = { ...withResponses, intoLog: true }

  const dryRun = await backfill(database.pool, options, { mode: 'dry-run' })
  const result = await backfill(database.pool, options)
  await database.query('delete from token_erasures; update token_usage_settings set pruned_before = null')

  expect(result).toMatchObject({ rows: 4, logged: 1, refused: 2, withoutTime: 1 })
  expect(dryRun).toEqual({ ...result, mode: 'dry-run' })
})

test('a quota without a count to fill is refused: a second run would charge it again', async () => {
  await insertPrompts()
  const options: BackfillOptions = { table: 'prompts', quotaTable: 'quotas', intoLog: true }

  await expect(backfill(database.pool, options)).rejects.toMatchObject({
    code: 'TOKENLEDGER_REFUSED',
    message: expect.stringContaining('--quota-table needs --tokens-column'),
  })

  expect(await database.query(`select used_today from quotas where user_id = 'ada'`)).toEqual([{ used_today: 5 }])
})

describe('what cannot be filled is named', () => {
  test.each<[string, Partial<BackfillOptions>, string]>([
    ['a table', { table: 'prompt' }, 'There is no table "prompt"'],
    [
      'a column',
      { promptColumn: 'text' },
      'The table public.prompts has no column "text". It has id, user_id, prompt, model',
    ],
    ['a count', { tokensColumn: undefined }, '--tokens-column names it'],
    ['a time', { timeColumn: 'at' }, '--time-column names the one to use'],
    ['a response', { responseTable: 'responses', responseColumn: 'text' }, '--response-column names'],
    ['a quota', { quotaTable: 'quotas', quotaColumn: 'used' }, '--quota-column names'],
    ['an id that is none', { idColumn: 'user_id' }, 'user_id of public.prompts has no unique index of its own'],
    ['a count of text', { tokensColumn: 'prompt' }, 'The types of the columns do not fit each other'],
  ])('%s', async (_, options, message) => {
    await expect(backfill(database.pool, { ...prompts, ...options })).rejects.toThrow(message)
  })
})
