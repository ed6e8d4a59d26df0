import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { ExportError } from '../../src/errors.js'
import { createUsageLogger, MemoryExporter, type UsageLoggerOptions } from '../../src/index.js'
import { migrate } from '../../src/postgres/migrator.js'
import { priceList } from '../../src/pricing/price-list.js'
import type { PriceSource } from '../../src/pricing/price-source.js'
import { RecordPricing } from '../../src/recording/record-pricing.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const lines: string[] = []
const keep = (_fields: object, message: string) => lines.push(message)
const logger = { info: () => {}, warn: keep, error: keep }
const entry = { modelName: 'gpt-4o-mini', provider: 'openai', inputTokens: 1500, outputTokens: 350 }
const selectCosts = `
  select
    trim_scale(cost_estimate)::text as cost,
    trim_scale(input_cost)::text as input,
    trim_scale(output_cost)::text as output,
    trim_scale(other_cost)::text as other,
    cost_source as source
  from token_usage_logs
  order by id`

function createLogger(options: UsageLoggerOptions) {
  const usage = createUsageLogger({ enabled: true, logger, ...options })
  onTestFinished(() => usage.close({ timeoutMs: 1000 }))
  return usage
}

beforeEach(() => {
  lines.length = 0
})

describe('the rows of a logger', () => {
  let database: TestDatabase
  beforeEach(async () => {
    database = await createTestDatabase()
    await migrate(database.connectionString)
  })
  afterEach(() => database.drop())

  it('have their cost and its parts', async () => {
    const usage = createLogger({ databaseUrl: database.connectionString })

    usage.log(entry)
    usage.log({ ...entry, modelName: 'a-model-of-next-year' })
    usage.log({ ...entry, provider: 'ollama' })
    usage.log({ ...entry, costEstimate: '0.000000120001' })
    await usage.flush()

    expect(await database.query(selectCosts)).toEqual([
      { cost: '0.000435', input: '0.000225', output: '0.00021', other: '0', source: 'list' },
      { cost: null, input: null, output: null, other: null, source: null },
      { cost: '0', input: '0', output: '0', other: '0', source: 'list' },
      { cost: '0.000000120001', input: null, output: null, other: null, source: 'entry' },
    ])
    const [sums] = await database.query(
      'select trim_scale(sum(cost))::text as cost, sum(unpriced)::int as unpriced from token_usage_daily',
    )
    expect(sums).toEqual({ cost: '0.000435120001', unpriced: 1 })
  })

  it("cost what the user's own prices say, which current() knows as well", async () => {
    await database.query(`insert into token_prices (provider, model_pattern, valid_from, input_per_million, output_per_million)
      values ('*', 'gpt-4o*', '2020-01-01', 1000, 2000)`)
    const usage = createLogger({ databaseUrl: database.connectionString })

    usage.log(entry)
    await usage.flush()
    const current = usage.run({}, () => {
      usage.log(entry)
      return usage.current()
    })
    await usage.flush()

    const row = { cost: '2.2', input: '1.5', output: '0.7', other: '0', source: 'override' }
    expect(await database.query(selectCosts)).toEqual([row, row])
    expect(current.costUsd).toBe(2.2)
  })

  it("are written with the list's prices where there is no table of prices, which one line says", async () => {
    await database.query('drop table token_prices')
    const pool = new pg.Pool({ connectionString: database.connectionString, max: 1 })
    onTestFinished(() => pool.end())
    const usage = createLogger({ pool })

    usage.log(entry)
    await usage.flush()
    usage.log(entry)
    await usage.flush()

    expect(await database.query(selectCosts)).toMatchObject([{ source: 'list' }, { source: 'list' }])
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(
      /^tokenledger: the prices in token_prices cannot be read: a usage table is missing; run tokenledger migrate.*by the list alone/,
    )
  })

  it('do not wait for a table of prices that somebody has locked', { timeout: 20_000 }, async () => {
    const locker = new pg.Client(database.connectionString)
    await locker.connect()
    await locker.query('begin; lock table token_prices')
    const usage = createLogger({ databaseUrl: database.connectionString })

    usage.log(entry)
    await usage.flush()
    const rows = await database.query(selectCosts)
    await locker.end()

    expect(rows).toMatchObject([{ source: 'list' }])
  })
})

describe('the prices of records', () => {
  const draft = draftRecord(entry, {}, Date.now())
  const ownPrices = (perToken: bigint): PriceSource => ({
    costSource: 'override',
    findPrices: (model) => {
      const list = priceList.findPrices(model)?.priceAt(Date.now())
      const rates = list && { ...list.rates, input: perToken * 1_000_000n, output: 0n }
      return list && rates && { priceAt: () => ({ ...list, rates }) }
    },
  })

  it('are those that were read last, where their table cannot be read now', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    let reads = 0
    const prices = new RecordPricing(logger, async () => {
      reads += 1
      if (reads > 1) throw new ExportError('passing', '55P03', 'a lock was not released in time (55P03)')
      return ownPrices(2n)
    })

    await prices.refresh()
    await prices.refresh()
    const before = reads
    vi.advanceTimersByTime(60_000)
    await prices.refresh()

    expect([before, reads]).toEqual([1, 2])
    expect(prices.costOf(draft)).toBe(3000n)
    expect(lines).toEqual([expect.stringContaining('by those that were read last until they can')])
  })

  it('fail the write where the store is away, which says so itself', async () => {
    const away = new ExportError('passing', 'ECONNREFUSED', 'nothing answers at its address (ECONNREFUSED)')
    const prices = new RecordPricing(logger, () => Promise.reject(away))

    await expect(prices.refresh()).rejects.toBe(away)
    await expect(prices.refresh()).rejects.toBe(away)
    expect(lines).toEqual([])
  })
})

describe('current()', () => {
  it('has the cost of each call of a request, and none while one of them has no price', () => {
    const usage = createLogger({ exporter: new MemoryExporter() })

    const costs = usage.run({}, () => {
      const seen = [usage.current().costUsd]
      for (const modelName of ['gpt-4o-mini', 'gpt-4o-mini', 'nobody-knows-it']) {
        usage.log({ ...entry, modelName })
        seen.push(usage.current().costUsd)
      }
      return seen
    })

    expect(costs).toEqual([null, 0.000435, 0.00087, null])
  })

  it('has the exact sum of very many calls, also those of contexts inside it', async () => {
    const usage = createLogger({ exporter: new MemoryExporter(), maxMemoryMb: 64 })

    const cost = await usage.run({}, async () => {
      usage.run({}, () => {
        for (let call = 0; call < 6000; call++) usage.log({ ...entry, costEstimate: '0.000000000001' })
      })
      for (let call = 0; call < 150; call++) usage.log(entry)
      await sleep(1)
      usage.log(entry)
      return usage.current().costUsd
    })

    expect(cost).toBe(Number('0.065685006'))
  })

  it('is what a custom exporter is given for each row', async () => {
    const exporter = new MemoryExporter()
    const usage = createLogger({ exporter })

    usage.log(entry)
    await usage.flush()

    expect(exporter.records).toMatchObject([
      { costEstimate: '0.000435', inputCost: '0.000225', outputCost: '0.00021', otherCost: '0', costSource: 'list' },
    ])
  })
})
