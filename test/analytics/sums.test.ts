import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createUsageReports, type UsageGroup, type UsageQuery, type UsageReports } from '../../src/index.js'
import { migrate } from '../../src/postgres/migrator.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { call, insertCalls } from './random-calls.js'
import { sumRows } from './sums-oracle.js'

const name = fc.constantFrom(undefined, undefined, '', 'a')
// In order: a range never ends before it begins. Days with a clock change are among them.
const range = fc.constantFrom<Pick<UsageQuery, 'since' | 'until'>>(
  {},
  { since: '2026-03-01' },
  { until: '2026-03-08' },
  { since: '2026-03-08', until: '2026-03-08' },
  { since: '2026-02-20', until: '2026-03-29' },
  { since: '2026-03-07T18:30:00Z', until: '2026-03-09T04:00:00.123Z' },
  { since: '2026-03-08', until: '2026-03-20T00:00:00+05:30' },
  { since: '2026-03-08T02:00:00-05:00', until: '2026-03-15' },
)
const query = fc
  .tuple(
    range,
    fc.record({
      user: fc.constantFrom(undefined, undefined, 'ann'),
      model: fc.constantFrom(undefined, undefined, 'm1'),
      provider: name,
      operation: name,
      project: name,
      requestType: fc.constantFrom(undefined, undefined, 'chat'),
      status: fc.constantFrom(undefined, undefined, undefined, 'ok' as const, 'error' as const),
    }),
  )
  .map(([bounds, filter]) => ({ ...bounds, ...filter }))
const period = fc.constantFrom(undefined, 'hour' as const, 'day' as const, 'week' as const, 'month' as const)
const by = fc.constantFrom(
  undefined,
  ...(['user', 'model', 'provider', 'operation', 'project', 'requestType'] as const),
)

let database: TestDatabase
let reports: UsageReports

beforeAll(async () => {
  database = await createTestDatabase()
  await insertCalls(database, fc.sample(call, 600))
  reports = createUsageReports({ pool: database.pool })
})
afterAll(async () => {
  await reports.close()
  await database.drop()
})

describe.each(['Asia/Kolkata', 'America/New_York', 'UTC'])('in %s', (zone) => {
  beforeAll(async () => {
    await migrate(database.pool, { timeZone: zone })
  })

  test('every sum is what plain SQL says on the rows, whatever is asked for', async () => {
    await fc.assert(
      fc.asyncProperty(query, period, by, async (query, period, by) => {
        const found = period
          ? (await reports.getUsageByPeriod(period, { ...query, by })).points
          : by
            ? (await reports.getUsageBy(by, query)).groups
            : [totalOf(await reports.getUsageTotals(query))].filter(({ requests }) => requests > 0)

        expect(new Set(found.map(toFigures))).toEqual(
          new Set((await sumRows(database, { zone, query, period, by })).map(toRowFigures)),
        )
        expect(found.filter((group) => !isCostPerCallRight(group))).toEqual([])
      }),
      { numRuns: 80 },
    )
  })

  test('the days add up to the rows, also where a day has 23 or 25 hours', async () => {
    const { points: days } = await reports.getUsageByPeriod('day', { since: '2026-03-07', until: '2026-03-09' })
    const { points: hours } = await reports.getUsageByPeriod('hour', { since: '2026-03-07', until: '2026-03-09' })
    const { totals } = await reports.getUsageTotals({ since: '2026-03-07', until: '2026-03-09', status: 'ok' })
    const { points: ok } = await reports.getUsageByPeriod('day', {
      since: '2026-03-07',
      until: '2026-03-09',
      status: 'ok',
    })

    expect(requestsOf(days)).toBe(requestsOf(hours))
    expect(requestsOf(ok)).toBe(totals.requests)
  })

  test('groups beyond the limit are one, and all add up to the total', async () => {
    await fc.assert(
      fc.asyncProperty(query, fc.integer({ min: 1, max: 3 }), async (query, limit) => {
        const { groups, totals } = await reports.getUsageBy('model', { ...query, limit, order: 'requests' })

        expect(requestsOf(groups)).toBe(totals.requests)
        expect(groups.length).toBeLessThanOrEqual(limit + 1)
        expect(groups.slice(0, limit).every(({ group }) => group !== null)).toBe(true)
        expect(groups.slice(limit).every(({ group }) => group === null)).toBe(true)
        const shown = groups.slice(0, limit).map(({ requests }) => requests)
        expect(shown).toEqual([...shown].sort((a, b) => b - a))
      }),
      { numRuns: 20 },
    )
  })
})

type Row = { readonly [column: string]: unknown } & {
  readonly [count in 'requests' | 'unknown' | 'unpriced' | 'input' | 'output']: number
} & { readonly cost: string | null }

function totalOf({ totals }: { readonly totals: Omit<UsageGroup, 'period' | 'group' | 'provider'> }): UsageGroup {
  return { period: null, group: null, provider: null, ...totals }
}

function requestsOf(groups: readonly UsageGroup[]): number {
  return groups.reduce((sum, { requests }) => sum + requests, 0)
}

function toFigures(group: UsageGroup): string {
  return JSON.stringify([
    group.period,
    group.group,
    group.provider,
    group.requests,
    group.inputTokens,
    group.outputTokens,
    group.unknown,
    group.unpriced,
    group.failed,
    group.aborted,
    group.cacheReadTokens,
    group.reasoningTokens,
    group.costUsd,
    group.outputCostUsd,
    rounded(group.errorRate),
  ])
}

/** It has twelve decimals, the last one rounded; what it is made of is compared with the rows. */
function isCostPerCallRight({ costUsd, costPerCallUsd, requests, unpriced }: UsageGroup): boolean {
  if (costUsd === null || costPerCallUsd === null) return costUsd === costPerCallUsd
  const perCall = Number(costUsd) / (requests - unpriced)
  return Math.abs(Number(costPerCallUsd) - perCall) <= 1e-12 + perCall * 1e-12
}

function toRowFigures(row: object): string {
  const { requests, unknown, unpriced, input, output, cost, ...rest } = row as Row
  const isKnown = unknown < requests
  return JSON.stringify([
    rest.period,
    rest.group,
    rest.provider,
    requests,
    isKnown ? input : null,
    isKnown ? output : null,
    unknown,
    unpriced,
    rest.failed,
    rest.aborted,
    rest.cached,
    rest.reasoning,
    cost,
    rest.output_cost,
    rounded(Number(rest.failed) / requests),
  ])
}

function rounded(value: number | string | null): string | null {
  return value === null ? null : Number(value).toPrecision(9)
}
