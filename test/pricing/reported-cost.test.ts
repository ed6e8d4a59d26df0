import { describe, expect, it } from 'vitest'
import { priceList } from '../../src/pricing/price-list.js'
import type { PriceSource } from '../../src/pricing/price-source.js'
import { Pricer } from '../../src/pricing/pricer.js'
import { findReportedCost } from '../../src/pricing/reported-cost.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'

const openRouter = {
  cost: 0.00219855,
  is_byok: false,
  cost_details: {
    upstream_inference_cost: 0.00219855,
    upstream_inference_prompt_cost: 0.00140355,
    upstream_inference_completions_cost: 0.000795,
  },
}

describe('what a provider reports', () => {
  it('is the whole and its parts, where it tells them', () => {
    expect(findReportedCost('openrouter', openRouter)).toEqual({
      total: 2_198_550_000n,
      input: 1_403_550_000n,
      output: 795_000_000n,
      other: 0n,
      source: 'provider',
    })
    expect(
      findReportedCost('perplexity', {
        cost: { input_tokens_cost: 5e-5, output_tokens_cost: 9e-5, request_cost: 0.006, total_cost: 0.00614 },
      }),
    ).toMatchObject({ total: 6_140_000_000n, input: 50_000_000n, output: 90_000_000n, other: 6_000_000_000n })
  })

  it('is the whole alone, where it tells no parts or more than the whole', () => {
    const nothing = { input: null, output: null, other: null }

    expect(findReportedCost('xai', { cost_in_usd_ticks: 11_706_000 })).toEqual({
      total: 1_170_600_000n,
      ...nothing,
      source: 'provider',
    })
    expect(findReportedCost('openrouter', { ...openRouter, cost: 0.001 })).toMatchObject(nothing)
    expect(findReportedCost('avian', { cost: 1.4e-7 })).toMatchObject({ total: 140_000n, ...nothing })
  })

  it("holds what the provider behind it charged to a key of one's own", () => {
    const own = { cost: 0.0001, is_byok: true, cost_details: { upstream_inference_cost: 0.002 } }

    expect(findReportedCost('openrouter', own)?.total).toBe(2_100_000_000n)
    expect(findReportedCost('openrouter', { ...own, cost_details: {} })).toBeNull()
  })

  it.each([
    ['0 ticks, as Azure sends for Grok', 'azure', { cost_in_usd_ticks: 0 }],
    ['another currency', 'perplexity', { cost: { total_cost: 1, currency: 'EUR' } }],
    ['a cost in the unit of nobody knows whom', 'openai', { cost: 12 }],
    ['a negative cost', 'openrouter', { cost: -1 }],
    ['a text', 'openrouter', { cost: '0.1' }],
    ['nothing', 'openrouter', {}],
  ])('is none where it is %s', (_what, provider, raw) => {
    expect(findReportedCost(provider, raw)).toBeNull()
  })

  it('is 0 for a free model of OpenRouter', () => {
    expect(findReportedCost('openrouter', { cost: 0, is_byok: false })?.total).toBe(0n)
  })
})

describe('the cost of a row', () => {
  const rate = 1_000_000_000_000n
  const own: PriceSource = {
    costSource: 'override',
    findPrices: ({ model }) =>
      /^mine|^gpt-4.1$/.test(model)
        ? {
            priceAt: (time) =>
              time < Date.UTC(2026, 0, 1)
                ? undefined
                : {
                    rates: { ...rates, input: rate, output: null },
                    contextTiers: [],
                    fees: { request: 5n, image: null, webSearch: null, audioHour: null },
                  },
          }
        : undefined,
  }
  const rates = {
    cacheRead: null,
    cacheWrite5m: null,
    cacheWrite1h: null,
    inputAudio: null,
    inputImage: null,
    reasoning: null,
    outputAudio: null,
    outputImage: null,
  }
  const pricer = new Pricer([own, priceList])
  const rowOf = (entry: object) => {
    const common = { modelName: 'mine', inputTokens: 1000, outputTokens: 0, timestamp: Date.UTC(2026, 5, 1) }
    const { costEstimate, costSource, inputCost, otherCost } = pricer.withCost(
      toUsageRecord(draftRecord({ ...common, ...entry }, {}, 0)),
    )
    return { costEstimate, costSource, inputCost, otherCost }
  }

  it('is what the provider reported, whatever the entry and the tables say', () => {
    expect(rowOf({ provider: 'openrouter', rawUsage: openRouter })).toMatchObject({ costSource: 'provider' })
    expect(rowOf({ provider: 'openrouter', rawUsage: openRouter, costEstimate: 7 })).toEqual({
      costEstimate: '0.00219855',
      costSource: 'provider',
      inputCost: '0.00140355',
      otherCost: '0',
    })
  })

  it("is else the entry's own, of which no parts are known", () => {
    expect(rowOf({ costEstimate: '0.25' })).toEqual({
      costEstimate: '0.25',
      costSource: 'entry',
      inputCost: null,
      otherCost: null,
    })
  })

  it("is else that of the user's own prices", () => {
    expect(rowOf({})).toEqual({
      costEstimate: '0.001000000005',
      costSource: 'override',
      inputCost: '0.001',
      otherCost: '0.000000000005',
    })
  })

  it("is else that of the list, also at a time before there was a price of one's own", () => {
    expect(rowOf({ modelName: 'gpt-4o-mini' })).toMatchObject({ costEstimate: '0.00015', costSource: 'list' })
    expect(rowOf({ timestamp: Date.UTC(2025, 5, 1) })).toMatchObject({ costEstimate: null })
  })

  it('is none where the own price says nothing of a kind of tokens: the list does not fill it up', () => {
    expect(rowOf({ modelName: 'gpt-4.1', outputTokens: 1 })).toMatchObject({ costEstimate: null, costSource: null })
  })

  it.each([
    ['unknown usage', { outputTokens: null, usageSource: 'provider' }],
    ['an output that a broken-off answer did not tell', { usageSource: 'provider_partial' }],
    ['more from the cache than was read', { cacheReadTokens: 1001 }],
    ['an image made on the way', { rawUsage: { tool_usage: { image_gen: { total_tokens: 7 } } } }],
    ['a tier without a price', { modelName: 'gpt-4o', rawUsage: { service_tier: 'priority' } }],
  ])('is none for %s', (_what, entry) => {
    expect(rowOf({ modelName: 'gpt-4o', ...entry })).toMatchObject({ costEstimate: null, costSource: null })
  })

  it('of a call that made others is that of each at the price of its own model', () => {
    const iterations = [
      { type: 'message', input_tokens: 1000, output_tokens: 100 },
      {
        type: 'advisor_message',
        model: 'claude-opus-4-5',
        input_tokens: 2000,
        cache_read_input_tokens: 8000,
        output_tokens: 50,
      },
    ]
    const call = { provider: 'anthropic', modelName: 'claude-sonnet-4-5', inputTokens: 11_000, outputTokens: 150 }
    const rawUsage = { iterations, server_tool_use: { web_search_requests: 1 } }

    expect(rowOf({ ...call, rawUsage }).costEstimate).toBe('0.02975')
    expect(
      rowOf({ ...call, rawUsage: { iterations: [iterations[0], { ...iterations[1], model: 'x' }] } }),
    ).toMatchObject({
      costEstimate: null,
    })
  })
})
