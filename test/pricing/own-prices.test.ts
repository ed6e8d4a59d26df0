import { describe, expect, it } from 'vitest'
import type { PricedCall } from '../../src/pricing/call-cost.js'
import { createOwnPrices } from '../../src/pricing/own-prices.js'
import type { PricedModel } from '../../src/pricing/price-source.js'
import { Pricer } from '../../src/pricing/pricer.js'
import type { PriceColumn, TokenPrice } from '../../src/pricing/token-price.js'
import { formatPicoUsd } from '../../src/usage/pico-usd.js'
import { pricedCall, type RawUsage } from './priced-call.js'

const base: TokenPrice = {
  provider: '*',
  modelPattern: '*',
  serviceTier: '*',
  validFrom: '2026-01-01T00:00:00.000000Z',
  validTo: null,
  usd: {},
}
const call: PricedModel = { provider: 'openai', model: 'gpt-4o-mini', serviceTier: null }

/** The price that holds in March, by its input. */
function inputOf(prices: readonly Partial<TokenPrice>[], model: Partial<PricedModel> = {}): bigint | null | undefined {
  const own = createOwnPrices(
    prices.map((price, index) => ({ ...base, usd: { input_per_million: `${index + 1}` }, ...price })),
  )
  const found = own.findPrices({ ...call, ...model })?.priceAt(Date.UTC(2026, 2, 1))?.rates.input
  return found && found / 10n ** 12n
}

describe('prices of your own', () => {
  it.each([
    ['gpt-4o-mini', true],
    ['gpt-4o', false],
    ['gpt-4o*', true],
    ['*mini', true],
    ['*-4o-*', true],
    ['gpt*4o*mini', true],
    ['gpt-4o-mini*', true],
    ['*4o*gpt*', false],
    ['gpt-4o-min*ini', false],
    ['gpt.4o.mini', false],
  ])('%s fits gpt-4o-mini: %s', (modelPattern, isFound) => {
    expect(inputOf([{ modelPattern }])).toBe(isFound ? 1n : undefined)
  })

  it('finds models whose names differ in case', () => {
    expect(inputOf([{ modelPattern: 'qwen/*' }], { model: 'Qwen/Qwen3' })).toBe(1n)
  })

  it('answers at once for a pattern of many stars', () => {
    const modelPattern = '*a'.repeat(128)

    expect(inputOf([{ modelPattern }], { model: `${'a'.repeat(255)}b` })).toBe(undefined)
  })

  it('takes the most specific pattern, then the named provider, then the named tier, in whatever order they come', () => {
    const prices = [
      { modelPattern: '*' },
      { modelPattern: 'gpt-4o*' },
      { modelPattern: 'gpt-4o*', provider: 'openai' },
      { modelPattern: 'gpt-4o*', provider: 'openai', serviceTier: 'batch' },
      { modelPattern: 'gpt-4o-mini*' },
      { modelPattern: 'gpt-4o-mini' },
    ].map((price, index) => ({ ...price, usd: { input_per_million: `${index + 1}` } }))
    const both = (...indexes: number[]) => {
      const chosen = indexes.flatMap((index) => prices[index] ?? [])
      return [inputOf(chosen, { serviceTier: 'batch' }), inputOf(chosen.reverse(), { serviceTier: 'batch' })]
    }

    expect(both(0, 1)).toEqual([2n, 2n])
    expect(both(1, 2)).toEqual([3n, 3n])
    expect(both(2, 3)).toEqual([4n, 4n])
    expect(both(3, 4)).toEqual([5n, 5n])
    expect(both(4, 5)).toEqual([6n, 6n])
  })

  it('keeps tiers apart: standard is a tier, and a price without one holds for those that have none', () => {
    expect(inputOf([{ serviceTier: 'standard' }])).toBe(1n)
    expect(inputOf([{ serviceTier: 'standard' }], { serviceTier: 'flex' })).toBe(undefined)
    expect(inputOf([{ serviceTier: 'flex' }])).toBe(undefined)
    expect(inputOf([{ serviceTier: '*' }, { serviceTier: 'flex' }], { serviceTier: 'flex' })).toBe(2n)
    expect(inputOf([{ serviceTier: '*' }, { serviceTier: 'flex' }], { serviceTier: 'priority' })).toBe(1n)
  })

  it('finds prices of any provider for a call whose provider nobody knows', () => {
    expect(inputOf([{}], { provider: null })).toBe(1n)
    expect(inputOf([{ provider: 'openai' }], { provider: null })).toBe(undefined)
  })

  it('holds from its first moment to the one before its end', () => {
    const validFrom = '2026-01-01T00:00:00.000000Z'
    const own = createOwnPrices([
      { ...base, validFrom, validTo: '2026-02-01T00:00:00.000000Z', usd: { output_per_million: '1' } },
    ])
    const isPriced = (time: number) => own.findPrices(call)?.priceAt(time) !== undefined
    const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 1, 1)]

    expect([from - 1, from, to - 1, to].map(isPriced)).toEqual([false, true, true, false])
  })
})

describe('a call at prices of your own', () => {
  it.each<[string, Partial<Record<PriceColumn, string>>, string | null]>([
    ['that of an hour', { cache_write_1h_per_million: '6', cache_write_5m_per_million: '3.75' }, '6'],
    ['that of five minutes', { cache_write_5m_per_million: '3.75', input_per_million: '3' }, '3.75'],
    ['that of input', { input_per_million: '3', output_per_million: '15' }, '3'],
    ['none', { output_per_million: '15' }, null],
  ])('that wrote to the cache for an hour costs by the first price there is: %s', (_which, usd, cost) => {
    const raw = { cache_creation: { ephemeral_1h_input_tokens: 1_000_000 } }

    expect(costOf({ inputTokens: 1_000_000, cacheWriteTokens: 1_000_000, raw }, [usd])).toBe(cost)
  })

  it.each<[PricedCall['status'], RawUsage | undefined, string | null]>([
    ['ok', undefined, '0.04'],
    ['ok', { images: 2 }, '0.08'],
    ['error', undefined, null],
    ['aborted', undefined, null],
    ['aborted', { images: 1 }, '0.04'],
  ])('for an image that ended as %s, with %j told, costs by the images that were made', (status, raw, cost) => {
    const image = { requestType: 'image', usageSource: 'fixed', inputTokens: 1, outputTokens: 1 } as const

    expect(costOf({ ...image, status, raw }, [{ per_image: '0.04' }])).toBe(cost)
  })

  it('that made others by itself is charged its fee once, that of its own model', () => {
    const iterations = [
      { type: 'advisor_message', model: 'adviser', input_tokens: 1_000_000, output_tokens: 0 },
      { type: 'message', input_tokens: 1_000_000, output_tokens: 0 },
      { type: 'message', input_tokens: 1_000_000, output_tokens: 0 },
    ]
    const raw = { iterations, server_tool_use: { web_search_requests: 2 } }
    const own = { input_per_million: '3', per_request: '0.5', per_web_search: '0.01' }
    const adviser = { input_per_million: '10', per_request: '0.7' }

    expect(costOf({ inputTokens: 3_000_000, raw }, [own, adviser])).toBe('16.52')
  })
})

/** What a call costs at the prices of its own model, and of one that it asks. */
function costOf(fields: Parameters<typeof pricedCall>[0], [own, adviser]: readonly TokenPrice['usd'][]): string | null {
  const prices = [
    { ...base, modelPattern: 'own', usd: own ?? {} },
    { ...base, modelPattern: 'adviser', usd: adviser ?? {} },
  ]
  const cost = new Pricer([createOwnPrices(prices)]).price(pricedCall({ modelName: 'own', ...fields }))
  return cost && formatPicoUsd(cost.total)
}
