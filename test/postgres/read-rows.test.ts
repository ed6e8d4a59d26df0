import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRows } from '../../src/postgres/read-rows.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase({ template: 'empty' })
})

afterAll(() => database.drop())

const read = (sql: string, timeoutMs = 60_000) => readRows(database.pool, { sql, timeoutMs })

describe('readRows', () => {
  it.each([
    ['42::bigint', 42],
    ['9007199254740991::bigint', 9007199254740991],
    ['9007199254740993::bigint', '9007199254740993'],
    ['-9223372036854775807::bigint', '-9223372036854775807'],
    ['0.000000120000::numeric(20,12)', 0.00000012],
    ['-12.340000000000::numeric(20,12)', -12.34],
    ['0::numeric', 0],
    ['1234.123456789012::numeric', '1234.123456789012'],
    ['9007199254740990.7::numeric', '9007199254740990.7'],
    ["'NaN'::numeric", null],
    ["'Infinity'::numeric", null],
    ["'NaN'::float8", null],
    ['0.5::float8', 0.5],
    ["'2026-03-01'::date", '2026-03-01'],
    ["'2026-03-01 12:00:00.5+00'::timestamptz", '2026-03-01T12:00:00.500Z'],
    ["'ann'::text", 'ann'],
    ['null::numeric', null],
  ])('gives %s to JSON exactly or as null', async (expression, expected) => {
    const rows = await read(`select ${expression} as value`)

    expect(JSON.parse(JSON.stringify(rows))).toEqual([{ value: expected }])
  })

  it('stops a query that takes too long on the server as well', async () => {
    await expect(read('select pg_sleep(5)', 50)).rejects.toMatchObject({ code: '57014' })
  })

  it('changes nothing', async () => {
    await expect(read('create table intruder ()')).rejects.toMatchObject({ code: '25006' })
  })

  it('gives the connection back without the time limit, and none that failed', async () => {
    await read('select 1')
    await read('select broken').catch(() => {})

    const { rows } = await database.pool.query('show statement_timeout')

    expect(rows).toEqual([{ statement_timeout: '0' }])
    expect(database.pool.totalCount).toBe(1)
    expect(database.pool.idleCount).toBe(1)
  })
})
