import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { enterPrices } from '../../src/postgres/enter-prices.js'
import { readOwnPrices } from '../../src/postgres/price-table.js'
import { reprice } from '../../src/postgres/reprice.js'
import { PostgresUsageExporter } from '../../src/postgres/usage-exporter.js'
import { verify } from '../../src/postgres/verify.js'
import type { PricedCall } from '../../src/pricing/call-cost.js'
import { createOwnPrices } from '../../src/pricing/own-prices.js'
import { Pricer } from '../../src/pricing/pricer.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { formatPicoUsd } from '../../src/usage/pico-usd.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'
import { day, placement, priceOf } from '../pricing/price-timeline.js'
import { bundleScript } from '../support/bundle-script.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'

const range = { since: day(1), until: day(31) }

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

type Row = {
  readonly at: number
  readonly provider: string | null
  readonly model_name: string
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_read_tokens: number | null
  readonly usage_source: string | null
  readonly cost_source: string | null
  readonly cost_estimate: string | null
  readonly raw_usage: object | null
}

const count = fc.oneof(fc.nat(100), fc.integer({ min: 0, max: 2_147_483_647 }))
const cost = fc.constantFrom(
  { cost_source: null, cost_estimate: null },
  { cost_source: null, cost_estimate: 'NaN' },
  { cost_source: 'list', cost_estimate: '0.000000000001' },
  { cost_source: 'override', cost_estimate: '9000000' },
  { cost_source: 'provider', cost_estimate: '0.25' },
  { cost_source: 'entry', cost_estimate: '0.5' },
  // Of another program.
  { cost_source: null, cost_estimate: '-7.000000000003' },
)
const row: fc.Arbitrary<Row> = fc
  .tuple(
    fc.record({
      at: fc.integer({ min: 0, max: 30 * 86_400_000 }),
      provider: fc.constantFrom('a', 'b', null),
      model_name: fc.constantFrom('m', 'n'),
      input_tokens: count,
      output_tokens: count,
      cache_read_tokens: fc.option(fc.nat(50)),
      usage_source: fc.constantFrom('provider', 'entry', 'unknown', null),
      raw_usage: fc.constantFrom(null, { service_tier: 'batch' }, { service_tier: 'default', prompt_tokens: 3 }),
    }),
    cost,
  )
  .map(([fields, costs]) => ({ ...fields, ...costs }))

async function insertRows(rows: readonly Row[]): Promise<void> {
  await database.query(
    `insert into token_usage_logs
      (timestamp, user_email, model_name, input_tokens, output_tokens, request_type, provider, cache_read_tokens,
       usage_source, cost_source, cost_estimate, raw_usage)
    select
      timestamptz '2026-01-01Z' + at * interval '1 millisecond', 'u' || at % 3, model_name, input_tokens, output_tokens,
      'chat', provider, cache_read_tokens, usage_source, cost_source, cost_estimate, raw_usage
    from jsonb_to_recordset($1) as rows (
      at bigint, model_name text, input_tokens integer, output_tokens integer, provider text, cache_read_tokens integer,
      usage_source text, cost_source text, cost_estimate numeric, raw_usage jsonb
    )`,
    [JSON.stringify(rows)],
  )
}

/** Rows of one user and model, a minute apart, without a cost. */
async function insertUnpriced(rows: number): Promise<void> {
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, provider, model_name, input_tokens, output_tokens, request_type)
    select timestamptz '2026-01-01Z' + n * interval '1 second', 'u' || n % 5, 'a', 'm', n, 1, 'chat'
    from generate_series(1, $1::int) as n`,
    [rows],
  )
}

const readCosts = () =>
  database.query(`
    select id, cost_estimate::text, input_cost::text, output_cost::text, other_cost::text, cost_source
    from token_usage_logs order by id`)

async function findDifferences(): Promise<object> {
  const { differences, firstDifferences } = await verify(database.pool)
  return { differences, firstDifferences }
}

const oneAndTwo = { input_per_million: '1', output_per_million: '2' }
const noDifferences = { differences: 0, firstDifferences: [] }
const prices = [
  priceOf({ from: 1, usd: '1.000001' }),
  {
    ...priceOf({ from: 5, usd: '0.3' }),
    usd: { input_per_million: '0.3', output_per_million: '7', per_request: '0.000000000001' },
  },
  {
    ...priceOf({ from: 1, usd: '2' }),
    serviceTier: 'batch',
    usd: { input_per_million: '0.15', output_per_million: '3.5' },
  },
]

test('rows of any kind get the cost of their own time, costs that were reported or entered stay, and sums equal rows', async () => {
  const price = fc.record({ at: placement, input: fc.nat(10 ** 9), output: fc.option(fc.nat(10 ** 9)) })
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 40 }), fc.array(price, { maxLength: 6 }), async (rows, placements) => {
      await database.query('truncate token_usage_logs')
      await database.query(`update token_prices set valid_to = valid_from`)
      await insertRows(rows)
      for (const { at, input, output } of placements) {
        const usd = {
          input_per_million: formatPicoUsd(BigInt(input) * 1001n),
          ...(output !== null && { output_per_million: formatPicoUsd(BigInt(output) * 999n) }),
        }
        await enterPrices(database.pool, [{ ...priceOf({ ...at, usd: '' }), usd }])
      }
      const pricer = new Pricer([await readOwnPrices(database.pool)])
      const before = await readCosts()

      const counted = await reprice(database.pool, range, { pricer })
      const afterCounting = await readCosts()
      const first = await reprice(database.pool, range, { pricer, mode: 'change' })
      const after = await readCosts()
      const second = await reprice(database.pool, range, { pricer, mode: 'change' })

      expect(afterCounting).toEqual(before)
      expect({ ...counted, runId: first.runId }).toEqual(first)
      expect(after).toEqual(await expectedCosts(before, pricer))
      expect(second.total).toMatchObject({ changed: 0, oldCost: first.total.newCost, newCost: first.total.newCost })
      expect(await readCosts()).toEqual(after)
      expect(await findDifferences()).toEqual(noDifferences)
    }),
    { numRuns: 25 },
  )
}, 120_000)

/** What each row has to cost: priced alone, without any of the code that changes rows. */
async function expectedCosts(before: Awaited<ReturnType<typeof readCosts>>, pricer: Pricer): Promise<object[]> {
  const calls = await database.query(`
    select
      extract(epoch from timestamp)::float8 * 1000 as timestamp, provider, model_name as "modelName", 'chat' as "requestType",
      input_tokens as "inputTokens", output_tokens as "outputTokens", cache_read_tokens as "cacheReadTokens",
      null as "cacheWriteTokens", null as "reasoningTokens", coalesce(usage_source, 'entry') as "usageSource",
      'ok' as status, raw_usage::text as "rawUsage"
    from token_usage_logs order by id`)
  const text = (pico: bigint | null | undefined) => {
    const digits = pico?.toString().padStart(13, '0')
    return digits === undefined ? null : `${digits.slice(0, -12)}.${digits.slice(-12)}`
  }
  return before.map((old, index) => {
    const isKept =
      ['provider', 'entry'].includes(old.cost_source) ||
      (old.cost_source === null && ![null, 'NaN'].includes(old.cost_estimate))
    if (isKept) return old
    const priced = pricer.price(calls[index] as PricedCall)
    const isUnpricedStill = priced === null && old.cost_source === null
    return {
      id: old.id,
      cost_estimate: isUnpricedStill ? old.cost_estimate : text(priced?.total ?? null),
      input_cost: text(priced?.input ?? null),
      output_cost: text(priced?.output ?? null),
      other_cost: text(priced?.other ?? null),
      cost_source: priced?.source ?? null,
    }
  })
}

test('only the rows of the range and of the model are touched', async () => {
  const base = {
    provider: 'a',
    input_tokens: 10,
    output_tokens: 1,
    cache_read_tokens: null,
    usage_source: 'provider',
    cost_source: null,
    cost_estimate: null,
    raw_usage: null,
  }
  await insertRows(
    [0, 1, 2].flatMap((at) => [
      { ...base, at: at * 86_400_000, model_name: 'm' },
      { ...base, at: at * 86_400_000, model_name: 'n' },
    ]),
  )
  const pricer = new Pricer([
    createOwnPrices([
      { ...priceOf({ from: 1, usd: '' }), modelPattern: '*', usd: { input_per_million: '1', output_per_million: '1' } },
    ]),
  ])

  const result = await reprice(
    database.pool,
    { since: day(2), until: day(3), modelName: 'm' },
    { pricer, mode: 'change' },
  )

  expect(result.models).toMatchObject([{ provider: 'a', modelName: 'm', calls: 1, changed: 1, newCost: '0.000011' }])
  expect((await readCosts()).map(({ cost_estimate }) => cost_estimate)).toEqual([
    null,
    null,
    '0.000011000000',
    null,
    null,
    null,
  ])
})

test('an image request that failed loses the price of an image that it was given', async () => {
  await database.query(
    `insert into token_usage_logs
      (timestamp, user_email, model_name, input_tokens, output_tokens, request_type, provider, usage_source, status, cost_source, cost_estimate)
    select '2026-01-02Z', 'u', 'm', 1, 1, 'image', 'a', 'fixed', status, 'override', 0.04
    from unnest(array[null, 'ok', 'error']) as status`,
  )
  const usd = { per_image: '0.04' }
  const pricer = new Pricer([createOwnPrices([{ ...priceOf({ from: 1, usd: '' }), modelPattern: '*', usd }])])

  await reprice(database.pool, range, { pricer, mode: 'change' })

  expect((await readCosts()).map(({ cost_estimate }) => cost_estimate)).toEqual([
    '0.040000000000',
    '0.040000000000',
    null,
  ])
})

test('a run leaves an audit row that adds up with the rows, and a range without rows leaves none', async () => {
  await insertUnpriced(1500)
  await enterPrices(database.pool, prices)
  const pricer = new Pricer([await readOwnPrices(database.pool)])

  await reprice(database.pool, { since: day(20), until: day(25) }, { pricer, mode: 'change' })
  const { runId, total } = await reprice(database.pool, { ...range, modelName: 'm' }, { pricer, mode: 'change' })

  const runs = await database.query(`
    select
      id::int, finished_at >= started_at as is_finished, model_name, rows_read::int, rows_changed::int, old_cost::float8,
      new_cost = (select sum(cost_estimate) from token_usage_logs) as adds_up, old_unpriced::int, new_unpriced::int
    from token_reprice_runs`)
  expect(runs).toEqual([
    {
      id: runId,
      is_finished: true,
      model_name: 'm',
      rows_read: 1500,
      rows_changed: 0,
      old_cost: 0,
      adds_up: null,
      old_unpriced: 1500,
      new_unpriced: 1500,
    },
  ])
  expect(total.changed).toBe(0)
})

test('a run that is killed has done whole chunks, and the next one does the rest', async () => {
  await insertUnpriced(3500)
  await enterPrices(database.pool, [{ ...priceOf({ from: 1, usd: '' }), usd: oneAndTwo }])
  const blocker = await database.pool.connect()
  // In the third chunk.
  await blocker.query('begin; select from token_usage_logs where input_tokens = 2500 for update')

  const child = startReprice()
  const exit = once(child, 'exit')
  await untilBlocked(database)
  child.kill('SIGKILL')
  await exit
  await blocker.query('rollback')
  blocker.release()
  const killed = await readRuns()
  const priced = await database.query(
    'select count(*)::int as rows, sum(cost_estimate)::text as cost from token_usage_logs where cost_estimate is not null',
  )
  const differences = await findDifferences()
  const again = startReprice()
  const [code] = await once(again, 'exit')

  expect(killed).toEqual([{ is_finished: false, rows_read: 2000, rows_changed: 2000, new_cost: priced[0]?.cost }])
  expect(priced[0]?.rows).toBe(2000)
  expect(differences).toEqual(noDifferences)
  expect(code).toBe(0)
  expect((await readRuns())[1]).toMatchObject({ is_finished: true, rows_read: 3500, rows_changed: 1500 })
  expect(
    await database.query(`select count(*)::int as rows from token_usage_logs
    where cost_estimate is distinct from input_tokens * 0.000001 + output_tokens * 0.000002`),
  ).toEqual([{ rows: 0 }])
  expect(await findDifferences()).toEqual(noDifferences)
}, 120_000)

function startReprice(): ChildProcess {
  const args = [bundleScript('src/cli/main.ts'), 'reprice', '--since', '2026-01-01', '--until', '2026-02-01', '--yes']
  return spawn(process.execPath, args, {
    cwd: '/',
    stdio: 'ignore',
    env: { PATH: process.env.PATH, DATABASE_URL: database.connectionString },
  })
}

const readRuns = () =>
  database.query(`
    select finished_at is not null as is_finished, rows_read::int, rows_changed::int, new_cost::text
    from token_reprice_runs order by id`)

test('a cost that is entered after its row was read stays', async () => {
  await insertUnpriced(3)
  const pricer = new Pricer([
    createOwnPrices([priceOf({ from: 1, usd: '' })].map((one) => ({ ...one, usd: oneAndTwo }))),
  ])
  const other = await database.pool.connect()
  await other.query(
    `begin; update token_usage_logs set cost_estimate = 0.5, cost_source = 'entry' where input_tokens = 2`,
  )

  const running = reprice(database.pool, range, { pricer, mode: 'change' })
  await untilBlocked(database)
  await other.query('commit')
  other.release()
  const { total } = await running

  expect((await readCosts()).map(({ cost_estimate }) => cost_estimate)).toEqual([
    '0.000003000000',
    '0.500000000000',
    '0.000005000000',
  ])
  expect(total).toMatchObject({ calls: 2, changed: 2 })
  expect(await database.query('select rows_read::int, rows_changed::int from token_reprice_runs')).toEqual([
    { rows_read: 2, rows_changed: 2 },
  ])
  expect(await findDifferences()).toEqual(noDifferences)
}, 120_000)

test('what is written, changed and deleted meanwhile, and a second run, leave sums that equal the rows', async () => {
  await insertUnpriced(4000)
  await enterPrices(database.pool, [{ ...priceOf({ from: 1, usd: '' }), usd: oneAndTwo }])
  const pricer = new Pricer([await readOwnPrices(database.pool)])
  let isRunning = true
  const whileRunning = async (work: (index: number) => Promise<unknown>) => {
    let index = 0
    while (isRunning) await work(index++)
    return index
  }
  const exporter = new PostgresUsageExporter(database.pool, 'borrowed')

  const others = [
    whileRunning((index) =>
      exporter.export(
        Array.from({ length: 5 }, (_, n) =>
          toUsageRecord(
            draftRecord(
              {
                modelName: 'm',
                provider: 'a',
                inputTokens: n,
                outputTokens: index,
                timestamp: day(2),
                userEmail: `u${n}`,
              },
              {},
              0,
            ),
          ),
        ),
      ),
    ),
    whileRunning((index) =>
      database.query('update token_usage_logs set output_tokens = 2 where input_tokens = $1', [4000 - index]),
    ),
    whileRunning((index) => database.query('delete from token_usage_logs where input_tokens = $1', [3000 - index])),
  ]
  const runs = await Promise.all([1, 2].map(() => reprice(database.pool, range, { pricer, mode: 'change' })))
  isRunning = false
  const [written = 0] = await Promise.all(others)
  await exporter.close()
  const { total } = await reprice(database.pool, range, { pricer, mode: 'change' })

  expect(written).toBeGreaterThan(0)
  expect(runs.map(({ runId }) => runId).sort()).toEqual([1, 2])
  expect(total.newUnpriced).toBe(0)
  expect(
    await database.query(`select count(*)::int as rows from token_usage_logs
    where cost_estimate is distinct from input_tokens * 0.000001 + output_tokens * 0.000002`),
  ).toEqual([{ rows: 0 }])
  expect(await findDifferences()).toEqual(noDifferences)
}, 120_000)
