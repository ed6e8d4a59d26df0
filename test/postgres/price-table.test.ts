import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { enterPrices } from '../../src/postgres/enter-prices.js'
import { readOwnPrices, readPriceTable } from '../../src/postgres/price-table.js'
import { createOwnPrices } from '../../src/pricing/own-prices.js'
import { priceColumns } from '../../src/pricing/token-price.js'
import { createTimeline, day, placement, priceOf } from '../pricing/price-timeline.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

const january = { from: '2026-01-01Z', to: '2026-02-01Z' }

function insert({ provider = 'a', model = 'm', tier = '*', from = january.from, to = null as string | null } = {}) {
  return database.query(
    `insert into token_prices (provider, model_pattern, service_tier, valid_from, valid_to, input_per_million)
    values ($1, $2, $3, $4, $5, 1) returning id::int`,
    [provider, model, tier, from, to],
  )
}

test('a price that is no amount of dollars is refused, in whichever column', async () => {
  for (const column of priceColumns) {
    for (const value of ['-0.01', 'NaN', 'Infinity', '1000000.01', '0.0000000000001']) {
      const inserting = database.query(
        `insert into token_prices (provider, model_pattern, valid_from, ${column}) values ('a', 'm', now(), $1)`,
        [value],
      )

      await expect(inserting).rejects.toMatchObject({ code: '23514' })
    }
  }
})

test('a price without an amount, without names or without a beginning before its end is refused', async () => {
  const free = database.query(`insert into token_prices (provider, model_pattern, valid_from) values ('a', 'm', now())`)

  await expect(free).rejects.toMatchObject({ code: '23514', constraint: 'token_prices_names_a_price' })
  await expect(insert({ provider: '' })).rejects.toMatchObject({ code: '23514' })
  await expect(insert({ model: '' })).rejects.toMatchObject({ code: '23514' })
  await expect(insert({ tier: '' })).rejects.toMatchObject({ code: '23514' })
  await expect(insert({ from: '-infinity' })).rejects.toMatchObject({ code: '23514' })
  await expect(insert({ to: 'infinity' })).rejects.toMatchObject({ code: '23514' })
  await expect(insert({ to: '2025-12-31Z' })).rejects.toMatchObject({ code: '23514' })
})

test('prices of one provider, pattern and tier do not overlap, however they are spelled', async () => {
  await insert(january)

  for (const overlap of [
    january,
    { from: '2025-01-01Z' },
    { from: '2026-01-31T23:59:59.999999Z' },
    { ...january, provider: 'A' },
    { ...january, model: 'M' },
  ]) {
    await expect(insert(overlap)).rejects.toMatchObject({ code: '23P01' })
  }
  await insert({ from: january.to })
  await insert({ from: '2025-12-01Z', to: january.from })
  for (const other of [{ provider: 'b' }, { model: 'm*' }, { tier: 'batch' }]) await insert({ ...january, ...other })
})

test.each(['read committed', 'repeatable read', 'serializable'])(
  'of two transactions at %s that enter the same price one is refused',
  async (level) => {
    const clients = [await database.pool.connect(), await database.pool.connect()] as const
    const statement = `insert into token_prices (provider, model_pattern, valid_from, input_per_million)
      values ('a', 'm', '2026-01-01Z', 1)`
    for (const client of clients) {
      // With a snapshot of before the other's insert.
      await client.query(`begin isolation level ${level}`)
      await client.query('select from token_prices')
    }

    await clients[0].query(statement)
    const second = clients[1].query(statement).then(
      () => 'entered',
      (error) => error.code,
    )
    await clients[0].query('commit')

    expect(['23P01', '40001']).toContain(await second)
    await clients[1].query('rollback')
    for (const client of clients) client.release()
    expect(await database.query('select from token_prices')).toHaveLength(1)
  },
)

test('a price is ended, earlier if need be, and neither changed nor removed', async () => {
  const refused = { code: '23001' }
  const [price] = await insert()
  const change = (assignment: string) =>
    database.query(`update token_prices set ${assignment} where id = $1`, [price?.id])

  await expect(change('input_per_million = 2')).rejects.toMatchObject(refused)
  await expect(change('per_request = 2')).rejects.toMatchObject(refused)
  await expect(change(`model_pattern = 'n'`)).rejects.toMatchObject(refused)
  await expect(change(`valid_from = '2025-01-01Z'`)).rejects.toMatchObject(refused)
  await change(`valid_to = '2026-03-01Z'`)
  await change(`valid_to = '2026-02-01Z'`)
  await expect(change(`valid_to = '2026-02-02Z'`)).rejects.toMatchObject(refused)
  await expect(change('valid_to = null')).rejects.toMatchObject(refused)
  await expect(change(`valid_to = '2025-12-31Z'`)).rejects.toMatchObject({ code: '23514' })
  await expect(database.query('delete from token_prices')).rejects.toMatchObject(refused)
  await expect(database.query('truncate token_prices')).rejects.toMatchObject(refused)
  await change(`valid_to = valid_from`)

  expect(await readPriceTable(database.pool)).toEqual([])
  await insert()
})

test('what is entered is what is read, to the last decimal and microsecond', async () => {
  const usd = Object.fromEntries(priceColumns.map((column, index) => [column, `${index}.000000000001`]))
  const price = { ...priceOf({ from: 1, usd: '' }), validFrom: '2026-01-01T00:00:00.000001Z', usd }

  await enterPrices(database.pool, [price])

  expect(await readPriceTable(database.pool)).toEqual([{ ...price, id: 1 }])
  const source = await readOwnPrices(database.pool)
  expect(source.costSource).toBe('override')
  expect(source.findPrices({ provider: 'a', model: 'm', serviceTier: null })?.priceAt(Date.UTC(2026, 1, 1))).toEqual({
    rates: {
      input: 1n,
      cacheRead: 1_000_000_000_001n,
      cacheWrite5m: 2_000_000_000_001n,
      cacheWrite1h: 3_000_000_000_001n,
      inputAudio: 4_000_000_000_001n,
      inputImage: 5_000_000_000_001n,
      output: 6_000_000_000_001n,
      reasoning: 7_000_000_000_001n,
      outputAudio: 8_000_000_000_001n,
      outputImage: 9_000_000_000_001n,
    },
    contextTiers: [],
    fees: {
      request: 10_000_000_000_001n,
      image: 11_000_000_000_001n,
      webSearch: 12_000_000_000_001n,
      audioHour: 13_000_000_000_001n,
    },
  })
})

test('prices are entered all or none, or only counted', async () => {
  await enterPrices(database.pool, [priceOf({ from: 10, usd: '1' })])
  const before = await database.query('select * from token_prices')

  const conflicting = await enterPrices(database.pool, [
    priceOf({ from: 20, usd: '2' }),
    priceOf({ from: 1, to: 11, usd: '3' }),
  ])
  const counted = await enterPrices(database.pool, [priceOf({ from: 20, usd: '2' })], { mode: 'count' })

  expect(conflicting.conflicts).toMatchObject([{ index: 1 }])
  expect(counted).toMatchObject({ added: [{ validFrom: day(20) }], ended: [{ validTo: day(20) }] })
  expect(await database.query('select * from token_prices')).toEqual(before)
})

test('any number of processes may enter prices at once', async () => {
  const entering = Array.from({ length: 10 }, (_, index) =>
    enterPrices(database.pool, [priceOf({ from: 1 + (index % 5), usd: `${1 + (index % 5)}` })]),
  )

  const plans = await Promise.all(entering)

  expect(plans.reduce((sum, { unchanged }) => sum + unchanged, 0)).toBe(5)
  const prices = await readPriceTable(database.pool)
  expect(prices.map(({ validFrom, validTo, usd }) => [validFrom, validTo, usd.input_per_million])).toEqual(
    [1, 2, 3, 4, 5].map((number) => [day(number), number < 5 ? day(number + 1) : null, `${number}`]),
  )
})

test('the table gives every day the price that a calendar would have, whatever prices are entered', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(placement, { minLength: 2, maxLength: 8 }),
      fc.uuid(),
      async (placements, modelPattern) => {
        const timeline = createTimeline()
        for (const [index, one] of placements.entries()) {
          const usd = `${index + 1}`
          const { conflicts } = await enterPrices(database.pool, [{ ...priceOf({ ...one, usd }), modelPattern }])
          expect(conflicts.length === 0).toBe(timeline.place(one, usd))
        }

        const prices = (await readPriceTable(database.pool)).filter((price) => price.modelPattern === modelPattern)
        expect(timeline.readFrom(createOwnPrices(prices.map((price) => ({ ...price, modelPattern: 'm' }))))).toEqual(
          timeline.days(),
        )
      },
    ),
    { numRuns: 30 },
  )
})
