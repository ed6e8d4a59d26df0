import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { int4Array, int8Array, textArray, timestamptzArray, uuidArray } from '../../src/postgres/binary-array.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database?.drop())

const withoutNul = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\0'))
// Few different ones, so that the same comes again and again.
const texts = fc.array(fc.oneof(fc.constantFrom('gpt-4o', 'größer', '', null), withoutNul), { maxLength: 40 })
const integers = fc.array(fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })))
const bigIntegers = fc.array(fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })))
const times = fc.array(fc.integer({ min: Date.UTC(1900), max: Date.UTC(2200) }))
// An imported file may have them in capitals; PostgreSQL writes them small.
const ids = fc.array(
  fc.oneof(
    fc.uuid(),
    fc.uuid().map((id) => id.toUpperCase()),
  ),
)

it.each([
  ['text', texts, textArray, 'select $1::text[]'],
  ['int4', integers, int4Array, 'select $1::int4[]'],
  ['int8', bigIntegers, int8Array, 'select $1::int8[]::text[]'],
  [
    'timestamptz',
    times,
    timestamptzArray,
    'select array(select (extract(epoch from at) * 1000)::float8 from unnest($1::timestamptz[]) with ordinality as u (at, n) order by n)',
  ],
  ['uuid', ids, uuidArray, 'select $1::uuid[]::text[]'],
] as const)('PostgreSQL reads a binary %s[] as what was written', async (type, arrays, encode, sql) => {
  const property = fc.asyncProperty(arrays as fc.Arbitrary<unknown[]>, async (values) => {
    const [row] = await database.query(`${sql} as value`, [encode(values as never[])])
    const expected = values.map((value) =>
      typeof value === 'bigint' ? String(value) : type === 'uuid' ? String(value).toLowerCase() : value,
    )
    expect(row?.value).toEqual(expected)
  })
  await fc.assert(property, { numRuns: 60 })
})
