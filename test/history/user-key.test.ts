import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eraseUser } from '../../src/history/erase-user.js'
import { verifyErasure } from '../../src/history/verify-erasure.js'
import { migrate } from '../../src/postgres/migrator.js'
import { readPriceTable } from '../../src/postgres/price-table.js'
import { getTimeZoneName } from '../../src/postgres/reporting-zone.js'
import { userKey } from '../../src/usage/user-key.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const blanks = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).filter((letter) =>
  /[\p{White_Space}\u200B-\u200D\u2060\uFEFF]/u.test(letter),
)
// Alphabets that have been complete for long, in any version of Unicode.
const alphabets = [
  [0x20, 0x58f],
  [0x1e00, 0x1fff],
  [0xff00, 0xffef],
  [0x10400, 0x1044f],
] as const
const letters = alphabets.flatMap(([first, last]) =>
  Array.from({ length: last - first + 1 }, (_, index) => String.fromCodePoint(first + index)),
)
const columns = '(timestamp, user_email, model_name, input_tokens, output_tokens, request_type)'
const spellings = ['\u00a0ÄNN@Example.com', 'änn@example.com\u3000', 'Änn@EXAMPLE.com\u2003', '\u200bänn@example.com']

describe.each([
  ['that tests use', undefined],
  ['C', 'C'],
  ['tr-TR', 'tr-TR'],
] as const)('in a database of the locale %s', (_name, locale) => {
  let database: TestDatabase
  let missing: string | undefined

  beforeAll(async () => {
    try {
      database = await createTestDatabase({ template: 'empty', locale })
    } catch (error) {
      const { code = '', message } = error as { code?: string; message: string }
      // No such option before version 15; or a server without ICU.
      if (!['42601', '0A000'].includes(code)) throw error
      missing = `the server has no locale ${locale}: ${message}`
      return
    }
    await migrate(database.connectionString)
  })
  beforeEach((context) => {
    if (missing) context.skip(missing)
  })
  afterAll(() => database?.drop())

  test('the database and the spool mean the same user, for every letter and blank', async () => {
    const users = [
      ...blanks.map((blank) => `${blank}Ann${blank}b@x${blank}`),
      ...letters.map((letter) => `${letter}@I`),
      ...letters.map((letter) => `A${letter}`),
    ]

    const rows = await database.query(
      'select array_agg(token_usage_user_key(name) order by number) as keys from unnest($1::text[]) with ordinality as names (name, number)',
      [users],
    )

    expect(rows[0]?.keys).toEqual(users.map(userKey))
  })

  test('every spelling of a user is erased, refused when it comes late, and looked for', async () => {
    const insert = (users: readonly string[], time: string) =>
      database.query(
        `insert into token_usage_logs ${columns}
        select $2, name, 'm', 1, 1, 'chat' from unnest($1::text[]) as name`,
        [users, time],
      )
    await insert([...spellings, 'bob', 'ann@example.com'], '2026-01-01Z')
    await database.query(
      `update token_usage_logs set metadata = '{"of": "ÄNN@EXAMPLE.COM, \u0130\u212A@x"}' where user_email = 'bob'`,
    )

    const receipt = await eraseUser(database.pool, 'Änn@example.COM')
    await insert(spellings, '2026-01-02Z')
    const rows = await database.query('select user_email from token_usage_logs order by 1')
    const verification = await verifyErasure(database.pool, spellings[0] ?? '')

    expect(receipt).toMatchObject({ rows: 4, dailySums: 4 })
    expect(rows.map(({ user_email }) => user_email)).toEqual(['ann@example.com', 'bob'])
    expect(verification).toMatchObject({ erasedAt: receipt.erasedAt, rows: 0, rowsSince: 0, mentions: 1 })
    expect(await verifyErasure(database.pool, 'ik@X')).toMatchObject({ mentions: 1 })
  })

  test('names of prices and of time zones are the same in any case', async () => {
    await database.query(
      `insert into token_prices (provider, model_pattern, service_tier, valid_from, input_per_million)
      values ('OpenAI', 'GEMINI-ÄI*', 'PRIORITY', '2026-01-01Z', 1)`,
    )
    const client = await database.pool.connect()

    const prices = await readPriceTable(database.pool)
    const zone = await getTimeZoneName(client, 'europe/istanbul').finally(() => client.release())

    expect(prices).toMatchObject([{ provider: 'openai', modelPattern: 'gemini-äi*', serviceTier: 'priority' }])
    expect(zone).toBe('Europe/Istanbul')
  })
})
