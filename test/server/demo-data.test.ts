import { describe, expect, it, onTestFinished } from 'vitest'
import { recommendationThresholds } from '../../src/analytics/recommendations.js'
import { createUsageLogger, createUsageReports, MemoryExporter } from '../../src/index.js'
import { logDemoData } from '../../src/server/demo-data.js'
import { createTestDatabase } from '../support/test-database.js'

const now = Date.parse('2026-03-31T00:00:00Z')
const dayMs = 86_400_000
const logger = { info() {}, warn() {}, error() {} }

describe('the demo data', () => {
  it('are ninety plausible days, the same for the same time', async () => {
    const [one, other] = [await collect(now), await collect(now)]

    expect(one.records).toHaveLength(one.count)
    expect(one.records.map(({ eventId, ...record }) => record)).toEqual(
      other.records.map(({ eventId, ...record }) => record),
    )
    expect(new Set(one.records.map(({ timestamp }) => Math.floor(timestamp / dayMs))).size).toBe(90)
    expect(one.records.every(({ timestamp }) => timestamp < now)).toBe(true)
    expect(new Set(one.records.map(({ status }) => status))).toEqual(new Set(['ok', 'error', 'aborted']))
    expect(one.records.every((record) => (record.cacheReadTokens ?? 0) <= record.inputTokens)).toBe(true)
  })

  it.each(['26T00:00', '27T14:10', '28T23:59', '29T05:00', '30T09:30', '31T12:00', '25T18:45'])(
    'have one day of the last thirty that costs far more, begun on 2026-03-%s',
    async (start) => {
      const { minRatio, minAboveMedianUsd } = recommendationThresholds.spendSpike
      const begun = Date.parse(`2026-03-${start}:00Z`)

      const { records } = await collect(begun)
      const costs = costsOfDays(records)
      const spikes = costs.filter((cost, day) => {
        const median = costs.slice(day - 28, day).sort((a, b) => a - b)[13] ?? Infinity
        return cost >= minRatio * median && cost >= median + minAboveMedianUsd
      })

      expect(costs.slice(-30)).toContain(spikes[0])
      expect(spikes).toHaveLength(1)
    },
  )

  it.each([
    ['on a weekday', '2026-03-26T14:10:00Z'],
    ['on a Sunday', '2026-03-29T23:50:00Z'],
  ])('give the page of the last thirty days something to suggest, begun %s', async (_when, start) => {
    const database = await createTestDatabase()
    const reports = createUsageReports({ databaseUrl: database.connectionString })
    const usage = createUsageLogger({ enabled: true, databaseUrl: database.connectionString, logger })
    onTestFinished(async () => {
      await usage.close()
      await reports.close()
      await database.drop()
    })
    const begun = Date.parse(start)
    const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10)

    await logDemoData(usage, begun)
    const { recommendations } = await reports.getRecommendations({
      since: dayOf(begun - 29 * dayMs),
      until: dayOf(begun),
    })

    expect(recommendations.map(({ kind }) => kind)).toEqual(['cheaper-model', 'low-cache-hits', 'spend-spike'])
  })
})

function costsOfDays(records: Awaited<ReturnType<typeof collect>>['records']): number[] {
  const costs = new Map<number, number>()
  for (const { timestamp, costEstimate } of records) {
    const day = Math.floor(timestamp / dayMs)
    costs.set(day, (costs.get(day) ?? 0) + Number(costEstimate ?? 0))
  }
  return [...costs].sort(([one], [other]) => one - other).map(([, cost]) => cost)
}

async function collect(at: number) {
  const exporter = new MemoryExporter()
  const usage = createUsageLogger({ enabled: true, exporter, logger })
  const count = await logDemoData(usage, at)
  await usage.close()
  return { count, records: exporter.records }
}
