import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createUsageReports, type UsageReports } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { insertCalls } from './random-calls.js'

let database: TestDatabase
let reports: UsageReports

beforeAll(async () => {
  database = await createTestDatabase()
  reports = createUsageReports({ pool: database.pool })
})
afterEach(() => database.query('truncate token_usage_logs'))
afterAll(() => database.drop())

const oneCall = {
  timestamp: '2026-03-08T12:00:00Z',
  user_email: 'ann',
  model_name: 'm1',
  request_type: 'chat',
  input_tokens: 700,
  output_tokens: 300,
}
const march = { since: '2026-03-01', until: '2026-03-31' }

test('another model that does the same for less is named, with what it would have saved', async () => {
  const large = { model_name: 'large', provider: 'openai', operation: 'answer', cost_estimate: '0.1' }
  const small = { model_name: 'small', provider: 'mistral', operation: 'answer', cost_estimate: '0.02' }
  await insertCalls(database, [
    ...times(120, large),
    ...times(100, small),
    ...times(99, { ...small, model_name: 'rare' }),
  ])

  const { recommendations, range } = await reports.getRecommendations(march)

  expect(range).toMatchObject({ firstDay: '2026-03-01', lastDay: '2026-03-31' })
  expect(recommendations).toEqual([
    {
      kind: 'cheaper-model',
      operation: 'answer',
      requestType: 'chat',
      provider: 'openai',
      modelName: 'large',
      requests: 120,
      tokens: 120_000,
      costUsd: '12',
      usdPerMillionTokens: '100',
      otherProvider: 'mistral',
      otherModelName: 'small',
      otherRequests: 100,
      otherUsdPerMillionTokens: '20',
      savingUsd: '9.6',
    },
  ])
})

test.each([
  ['has too few calls', times(99, { model_name: 'small', cost_estimate: '0.02' })],
  ['has no price', times(200, { model_name: 'small', cost_estimate: null })],
  ['does something else', times(200, { model_name: 'small', cost_estimate: '0.02', operation: 'translate' })],
  ['costs nearly as much', times(200, { model_name: 'small', cost_estimate: '0.085' })],
])('no model is recommended that %s', async (_what, others) => {
  await insertCalls(database, [...times(120, { model_name: 'large', cost_estimate: '0.1' }), ...others])

  expect((await reports.getRecommendations(march)).recommendations).toEqual([])
})

test('little from the cache is told where another operation gets a lot from it', async () => {
  const cached = { input_tokens: 2000, cache_read_tokens: 1500, operation: 'answer' }
  const uncached = { input_tokens: 2000, cache_read_tokens: 100, operation: 'summarize' }
  await insertCalls(database, [...times(100, cached), ...times(200, uncached)])

  const { recommendations } = await reports.getRecommendations(march)
  await database.query(`delete from token_usage_logs where operation = 'answer'`)
  const alone = await reports.getRecommendations(march)

  expect(recommendations).toEqual([
    {
      kind: 'low-cache-hits',
      operation: 'summarize',
      requestType: 'chat',
      provider: '',
      modelName: 'm1',
      requests: 200,
      inputTokens: 400_000,
      cacheReadTokens: 20_000,
      cacheHitRate: 0.05,
      otherOperation: 'answer',
      otherRequestType: 'chat',
      otherRequests: 100,
      otherCacheHitRate: 0.75,
      tokensToCache: 280_000,
    },
  ])
  expect(alone.recommendations).toEqual([])
})

test('outputs that have become longer are compared with the period before', async () => {
  await insertCalls(database, [
    ...times(100, { timestamp: '2026-02-20T12:00Z', output_tokens: 200 }),
    ...times(20, { output_tokens: 0, usage_source: 'unknown' }),
    ...times(150, { output_tokens: 500, output_cost: '0.001' }),
  ])

  const { recommendations } = await reports.getRecommendations(march)
  const alone = await reports.getRecommendations({ since: '2026-03-05', until: '2026-03-08' })

  expect(recommendations).toMatchObject([
    {
      kind: 'longer-outputs',
      requests: 150,
      outputPerCall: 500,
      previousRequests: 100,
      previousOutputPerCall: 200,
      additionalTokens: 45_000,
      outputCostUsd: '0.15',
    },
  ])
  expect(alone.recommendations).toEqual([])
})

test('a day that costs a multiple of the median before it is told, once there are days enough', async () => {
  const day = (number: number) => ({ timestamp: `2026-03-${String(number).padStart(2, '0')}T12:00Z` })
  const usual = Array.from({ length: 14 }, (_, index) => ({ ...oneCall, ...day(index + 1), cost_estimate: '2' }))
  await insertCalls(database, [
    ...usual,
    { ...oneCall, ...day(15), cost_estimate: '1.5' },
    { ...oneCall, ...day(15), model_name: 'm2', provider: 'openai', cost_estimate: '7' },
  ])

  const { recommendations } = await reports.getRecommendations(march)
  await database.query(`delete from token_usage_logs where timestamp < '2026-03-02Z'`)
  const fewer = await reports.getRecommendations(march)

  expect(recommendations).toEqual([
    {
      kind: 'spend-spike',
      day: '2026-03-15',
      costUsd: '8.5',
      unpriced: 0,
      daysCompared: 14,
      medianUsd: '2',
      provider: 'openai',
      modelName: 'm2',
      modelCostUsd: '7',
    },
  ])
  expect(fewer.recommendations).toEqual([])
})

test('recommendations are of whole days', async () => {
  await expect(reports.getRecommendations({ since: '12h' })).rejects.toThrow('made of whole days')
})

test('the month is projected from the mean of the days before today', async () => {
  const { month, daysLeft } = await reports.projectMonth()
  const [clock] = await database.query(`select (now() at time zone 'UTC')::date::text as today`)
  const today = Date.parse(clock?.today)
  const ago = (days: number) => new Date(today - days * 86_400_000 + 1).toISOString()
  // Seven days of 1 to 7 dollars, and one before them that does not count for the mean.
  const days = Array.from({ length: 8 }, (_, index) => ({
    ...oneCall,
    timestamp: ago(index + 1),
    cost_estimate: String(index + 1),
  }))
  await insertCalls(database, days.slice(0, 2))
  const short = await reports.projectMonth()

  await insertCalls(database, [...days.slice(2), { ...oneCall, timestamp: ago(0), cost_estimate: '9' }])
  const projection = await reports.projectMonth()

  const soFar = [...days, { timestamp: ago(0), cost_estimate: '9' }]
    .filter(({ timestamp }) => timestamp >= month)
    .reduce((sum, { cost_estimate }) => sum + Number(cost_estimate), 0)
  expect(short).toMatchObject({ daysCounted: 2, projectedCostUsd: null })
  expect(projection).toMatchObject({ daysCounted: 7, dailyCostUsd: '4', costUsd: String(soFar) })
  expect(projection.projectedCostUsd).toBe(String(soFar + daysLeft * 4))
})

function times(count: number, change: object): object[] {
  return Array.from({ length: count }, () => ({ operation: 'answer', ...oneCall, ...change }))
}
