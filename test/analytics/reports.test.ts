import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createUsageReports, type UsageCall, type UsageQuery, type UsageReports } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { call, insertCalls } from './random-calls.js'
import { conditionsOf } from './sums-oracle.js'

let database: TestDatabase
let reports: UsageReports

beforeAll(async () => {
  database = await createTestDatabase()
  reports = createUsageReports({ databaseUrl: database.connectionString })
})
afterEach(() => database.query('truncate token_usage_logs, token_usage_losses, token_usage_dead_letters'))
afterAll(async () => {
  await reports.close()
  await database.drop()
})

const filters = fc.constantFrom<UsageQuery>(
  {},
  { user: 'ann' },
  { model: 'm1', status: 'error' },
  { provider: '', requestType: 'chat' },
  { since: '2026-03-08', until: '2026-03-20', operation: 'a' },
  { since: '2026-03-01T00:00:00Z', project: 'b' },
)

describe('an empty database', () => {
  test('has zeros, empty lists and nulls, and no report fails', async () => {
    const { totals, previous, change } = await reports.getUsageTotals({ since: '7d' })

    expect(totals).toMatchObject({ requests: 0, inputTokens: 0, costUsd: '0', costPerCallUsd: null, errorRate: null })
    expect(previous?.totals.requests).toBe(0)
    expect(new Set(Object.values(change))).toEqual(new Set([null]))
    expect((await reports.getUsageByPeriod('week')).points).toEqual([])
    expect((await reports.getUsageBy('user')).groups).toEqual([])
    expect(await reports.getUserStats('ann')).toMatchObject({ byOperation: [], byModel: [] })
    expect(await reports.getUsageHistory()).toMatchObject({ calls: [], nextCursor: null })
    expect(await reports.findUsageCall(1)).toBeUndefined()
    expect((await reports.getLatencies()).groups).toEqual([])
    expect((await reports.compareProviders()).providers).toEqual([])
    expect(await reports.projectMonth()).toMatchObject({ requests: 0, costUsd: '0', projectedCostUsd: null })
    expect(await reports.getUsageGaps()).toMatchObject({ records: 0, gaps: [] })
    expect((await reports.getRecommendations()).recommendations).toEqual([])
    expect(await reports.getBalance('ann', { allowanceTokens: 10 })).toMatchObject({ remainingTokens: 10 })
  })
})

describe('one call', () => {
  test('whose counts nobody knows and that has no price is neither zero nor free', async () => {
    await insertCalls(database, [{ ...oneCall, usage_source: 'unknown', input_tokens: 0, output_tokens: 0 }])

    const { totals } = await reports.getUsageTotals()
    const { calls } = await reports.getUsageHistory()

    expect(totals).toMatchObject({ requests: 1, inputTokens: null, outputTokens: null, costUsd: null })
    expect(totals).toMatchObject({ unknown: 1, unpriced: 1, tokensPerCall: null, costPerCallUsd: null })
    expect(calls).toMatchObject([{ inputTokens: null, outputTokens: null, costUsd: null }])
  })

  test('keeps a cost of a fraction of a millionth to the last decimal', async () => {
    await insertCalls(database, [{ ...oneCall, cost_estimate: '0.000000000012' }])

    const { totals } = await reports.getUsageTotals({ user: 'ann', model: 'm1' })

    expect(totals).toMatchObject({ costUsd: '0.000000000012', costPerCallUsd: '0.000000000012' })
  })

  test('is found with what was added to it, by whom the filters let see it', async () => {
    await database.query(
      `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type, metadata, raw_usage)
      values ('2026-03-08T12:00:00.123456Z', 'ann', 'm1', 1, 2, 'chat', '{"ticket": 7}', '{"total_tokens": 3}')`,
    )
    const { calls } = await reports.getUsageHistory()
    const id = calls[0]?.id ?? 0

    expect(calls[0]).not.toHaveProperty('metadata')
    expect(await reports.findUsageCall(id, { user: 'ann' })).toEqual({
      ...calls[0],
      timestamp: '2026-03-08T12:00:00.123456Z',
      metadata: { ticket: 7 },
      rawUsage: { total_tokens: 3 },
    })
    expect(await reports.findUsageCall(id, { user: 'bob' })).toBeUndefined()
  })
})

test('pages of the history are all rows in order, each once, whatever the size of a page', async () => {
  await insertCalls(database, fc.sample(call, 150))
  // Many at the same moment, so that pages end in the middle of one.
  await database.query(`update token_usage_logs set timestamp = date_trunc('day', timestamp) where id % 2 = 0`)
  await fc.assert(
    fc.asyncProperty(filters, fc.integer({ min: 1, max: 60 }), async (query, limit) => {
      const expected = await database.query(
        `select id from token_usage_logs where ${conditionsOf(query, "(timestamp at time zone 'UTC')").join(' and ')}
        order by timestamp desc, id desc`,
      )

      const found: UsageCall[] = []
      let cursor: string | undefined
      do {
        const page = await reports.getUsageHistory({ ...query, limit, cursor })
        found.push(...page.calls)
        cursor = page.nextCursor ?? undefined
      } while (cursor)

      expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => Number(id)))
    }),
    { numRuns: 15 },
  )
})

test('percentiles are those of the rows that ended well', async () => {
  const calls = fc.sample(call, 300)
  await insertCalls(database, calls)
  await fc.assert(
    fc.asyncProperty(filters, async ({ status, ...query }) => {
      const [plain] = await database.query(
        `select
          count(duration_ms)::int as measured,
          percentile_disc(0.5) within group (order by duration_ms) as p50,
          percentile_disc(0.95) within group (order by duration_ms) as p95,
          percentile_disc(0.99) within group (order by time_to_first_chunk_ms) as first_chunk
        from token_usage_logs
        where status = 'ok' and ${conditionsOf(query, "(timestamp at time zone 'UTC')").join(' and ')}`,
      )

      const { groups } = await reports.getLatencies(undefined, query)

      expect(groups[0]?.measured ?? 0).toBe(plain?.measured)
      expect(groups[0]?.durationMs?.p50 ?? null).toBe(plain?.p50)
      expect(groups[0]?.durationMs?.p95 ?? null).toBe(plain?.p95)
      expect(groups[0]?.timeToFirstChunkMs?.p99 ?? null).toBe(plain?.first_chunk)
    }),
    { numRuns: 12 },
  )
})

test('providers are compared by what a call costs, takes and how often it fails', async () => {
  await insertCalls(database, [
    { ...oneCall, provider: 'openai', cost_estimate: '0.3', duration_ms: 100, time_to_first_chunk_ms: 10 },
    { ...oneCall, provider: 'openai', status: 'error', duration_ms: 1 },
    { ...oneCall, provider: 'ollama', cost_estimate: '0', duration_ms: null },
  ])

  const { providers } = await reports.compareProviders()

  expect(providers).toMatchObject([
    {
      group: 'openai',
      costPerCallUsd: '0.3',
      unpriced: 1,
      errorRate: 0.5,
      measured: 1,
      durationMs: { p50: 100, p95: 100, p99: 100 },
      measuredFirstChunks: 1,
    },
    { group: 'ollama', costUsd: '0', measured: 0, durationMs: null, timeToFirstChunkMs: null },
  ])
})

test('the change is against as many days before, or as long a time', async () => {
  await insertCalls(database, [
    { ...oneCall, timestamp: '2026-03-05T12:00Z', cost_estimate: '2' },
    { ...oneCall, timestamp: '2026-03-08T12:00Z', cost_estimate: '1' },
    { ...oneCall, timestamp: '2026-03-09T12:00Z', cost_estimate: '2' },
  ])

  const days = await reports.getUsageTotals({ since: '2026-03-08', until: '2026-03-10' })
  const instants = await reports.getUsageTotals({ since: '2026-03-09T00:00:00Z', until: '2026-03-10T00:00:00Z' })
  const all = await reports.getUsageTotals({ until: '2026-03-10' })

  expect(days.previous?.range).toMatchObject({ firstDay: '2026-03-05', lastDay: '2026-03-07' })
  expect(days.change).toMatchObject({ costUsd: 0.5, requests: 1, failed: null })
  expect(instants.previous?.range).toMatchObject({ from: '2026-03-08T00:00:00.000000Z', firstDay: null })
  expect(instants.change.costUsd).toBe(1)
  expect(all.previous).toBeNull()
})

test('a balance is the allowance less what was used since, and says what it could not count', async () => {
  await insertCalls(database, [
    { ...oneCall, timestamp: '2026-03-01T12:00Z', cost_estimate: '100' },
    { ...oneCall, timestamp: '2026-03-08T12:00Z', cost_estimate: '0.000000000001' },
    { ...oneCall, timestamp: '2026-03-08T12:00Z' },
    { ...oneCall, timestamp: '2026-03-08T12:00Z', user_email: 'bob', cost_estimate: '5' },
  ])

  const balance = await reports.getBalance('ann', { allowanceTokens: 50, allowanceUsd: '20', since: '2026-03-08' })

  expect(balance).toMatchObject({ requests: 2, usedTokens: 60, remainingTokens: -10, unpriced: 1, unknown: 0 })
  expect(balance).toMatchObject({ usedUsd: '0.000000000001', remainingUsd: '19.999999999999' })
})

test('losses and dead letters of the range are told apart from the rows', async () => {
  await database.query(
    `insert into token_usage_losses (id, reason, records, input_tokens, output_tokens, first_at, last_at)
    values
      (gen_random_uuid(), 'memory_full', 3, 30, 6, '2026-03-07T23:00Z', '2026-03-08T01:00Z'),
      (gen_random_uuid(), 'memory_full', 2, 20, 4, '2026-03-09T00:00Z', '2026-03-09T00:00Z')`,
  )
  await database.query(
    `insert into token_usage_dead_letters (event_id, failed_at, code, reason, record)
    values (gen_random_uuid(), '2026-03-08T05:00Z', '22003', 'a number is too large', '{}')`,
  )

  const { records, gaps } = await reports.getUsageGaps({ since: '2026-03-08', until: '2026-03-08' })

  expect(records).toBe(4)
  expect(gaps).toMatchObject([
    { kind: 'loss', reason: 'memory_full', records: 3, inputTokens: 30, lastAt: '2026-03-08T01:00:00.000000Z' },
    { kind: 'dead letter', reason: 'a number is too large', records: 1, inputTokens: null },
  ])
})

test('a range that ends before it begins, and input of another shape, are refused with a sentence', async () => {
  await expect(reports.getUsageTotals({ since: '2026-03-08', until: '2026-03-07' })).rejects.toMatchObject({
    code: 'TOKENLEDGER_USAGE_QUERY',
    message: 'The report cannot be made: until lies before since.',
  })
  await expect(reports.getUsageTotals({ since: 'yesterday' })).rejects.toThrow('a duration (12h, 7d, 2w)')
  await expect(reports.getUsageBy('user_email' as never)).rejects.toThrow('The report cannot be made')
  await expect(reports.getUsageTotals({ usr: 'ann' } as never)).rejects.toThrow('usr')
  await expect(reports.getBalance('ann', {})).rejects.toThrow('allowanceTokens or allowanceUsd is needed')
})

const oneCall = {
  timestamp: '2026-03-08T12:00:00Z',
  user_email: 'ann',
  model_name: 'm1',
  request_type: 'chat',
  input_tokens: 20,
  output_tokens: 10,
  status: 'ok',
  usage_source: 'provider',
}
