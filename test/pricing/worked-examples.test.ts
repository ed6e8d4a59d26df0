import { describe, expect, it } from 'vitest'
import type { PricedCall } from '../../src/pricing/call-cost.js'
import { priceList } from '../../src/pricing/price-list.js'
import { Pricer } from '../../src/pricing/pricer.js'
import { formatPicoUsd } from '../../src/usage/pico-usd.js'
import { pricedCall } from './priced-call.js'

const pricer = new Pricer([priceList])
const costOf = (fields: Parameters<typeof pricedCall>[0]) => totalOf(pricedCall(fields))
const hourWrites = (tokens: number) => ({ cache_creation: { ephemeral_1h_input_tokens: tokens } })
function totalOf(call: PricedCall): string | undefined {
  const cost = pricer.price(call)
  return cost === null ? undefined : formatPicoUsd(cost.total)
}

describe('an example that was published', () => {
  // LiteLLM issue 9812: Anthropic's console said 4.614 and 0.825 cents, LiteLLM $0.091311. The 3 tokens are $0.000009.
  it('of a written cache costs what Anthropic billed', () => {
    const cost = pricer.price(
      pricedCall({
        provider: 'anthropic',
        modelName: 'claude-3-7-sonnet-20250219',
        timestamp: Date.UTC(2025, 3, 8),
        inputTokens: 3 + 12_304,
        outputTokens: 550,
        cacheReadTokens: 0,
        cacheWriteTokens: 12_304,
      }),
    )

    expect(cost).toMatchObject({ input: 46_140_000_000n + 9_000_000n, output: 8_250_000_000n, total: 54_399_000_000n })
  })

  // OpenRouter's own figure for these counts at the prices of July 2026: 8 x 5 + 4,012 x 6.25 and 5 x 30 a million.
  it('of a cache that GPT wrote costs 1.25 times the input', () => {
    const call = { modelName: 'gpt-5.6-sol', inputTokens: 4020, outputTokens: 5, cacheWriteTokens: 4012 }

    expect(costOf({ ...call, timestamp: Date.UTC(2026, 6, 1) })).toBe('0.025265')
    expect(costOf({ ...call, timestamp: Date.UTC(2026, 7, 21) })).toBe('0.020192')
  })

  // The counts of OpenAI's guide to prompt caching: 1,920 of 2,006 tokens at half of $2.50, 300 at $10.
  it('of a cache that GPT read costs less for the cached tokens', () => {
    const call = { modelName: 'gpt-4o', inputTokens: 2006, outputTokens: 300, cacheReadTokens: 1920 }

    expect(costOf(call)).toBe('0.005615')
  })

  // Anthropic's pricing page: Opus 4.5 is $5, $6.25 for five minutes, $10 for an hour, $0.50 for a hit, $25.
  it('of the cache of Opus costs by how long it lasts', () => {
    const opus = { provider: 'anthropic', modelName: 'claude-opus-4-5-20251101', outputTokens: 1_000_000 }
    const written = { inputTokens: 1_000_000, cacheWriteTokens: 1_000_000 }

    expect(costOf({ ...opus, inputTokens: 1_000_000 })).toBe('30')
    expect(costOf({ ...opus, ...written })).toBe('31.25')
    expect(costOf({ ...opus, ...written, raw: hourWrites(1_000_000) })).toBe('35')
    expect(costOf({ ...opus, ...written, raw: hourWrites(400_000) })).toBe('32.75')
    expect(costOf({ ...opus, inputTokens: 1_000_000, cacheReadTokens: 1_000_000 })).toBe('25.5')
  })

  // The same page: batches cost half, Sonnet 4.5 $1.50 and $7.50; US-only inference a tenth more; a search one cent.
  it('of a batch, of a region and of a search costs what the page says', () => {
    const sonnet = { provider: 'anthropic', modelName: 'claude-sonnet-4-5-20250929' }
    const million = { inputTokens: 100_000, outputTokens: 1_000_000 }

    expect(costOf({ ...sonnet, ...million, raw: { service_tier: 'standard' } })).toBe('15.3')
    expect(costOf({ ...sonnet, ...million, raw: { service_tier: 'batch' } })).toBe('7.65')
    expect(costOf({ ...sonnet, ...million, raw: { inference_geo: 'us' } })).toBe('16.83')
    expect(costOf({ ...sonnet, ...million, raw: { inference_geo: 'global' } })).toBe('15.3')
    expect(costOf({ ...sonnet, ...million, raw: { server_tool_use: { web_search_requests: 3 } } })).toBe('15.33')
  })

  // Anthropic's long context: more than 200,000 input tokens, cached ones too, cost $6 and $22.50 for all tokens.
  it('of a long context costs more for all of its tokens', () => {
    const sonnet = { provider: 'anthropic', modelName: 'claude-sonnet-4-5', outputTokens: 1000 }

    expect(costOf({ ...sonnet, inputTokens: 200_000 })).toBe('0.615')
    expect(costOf({ ...sonnet, inputTokens: 200_001 })).toBe('1.222506')
    expect(costOf({ ...sonnet, inputTokens: 200_001, cacheReadTokens: 200_000 })).toBe('0.142506')
  })

  // OpenAI's pricing page: batch and flex of gpt-5 are $0.625, $0.0625 cached and $5. Priority is no factor of anything.
  it("of OpenAI's tiers costs half, or has no price", () => {
    const call = { modelName: 'gpt-5', inputTokens: 2_000_000, outputTokens: 1_000_000, cacheReadTokens: 1_000_000 }

    expect(costOf({ ...call, raw: { service_tier: 'default' } })).toBe('11.375')
    expect(costOf({ ...call, raw: { service_tier: 'flex' } })).toBe('5.6875')
    expect(costOf({ ...call, raw: { service_tier: 'default', batch: true } })).toBe('5.6875')
    expect(costOf({ ...call, raw: { service_tier: 'priority' } })).toBeUndefined()
  })

  // The counts and ticks of an answer of xAI's batch API: 0.8 times 76 x 1.25 + 128 x 0.20 + 64 x 2.50 a million.
  it('of a batch of xAI costs a fifth less', () => {
    const counts = { inputTokens: 204, outputTokens: 64, cacheReadTokens: 128, reasoningTokens: 62 }

    expect(costOf({ provider: 'xai', modelName: 'grok-4.3', ...counts, raw: { batch: true } })).toBe('0.00022448')
  })

  // Google's pricing page: $1 for audio and $0.30 for the rest, a tenth of either from the cache; half in flex, where it
  // does not say what the cache costs.
  it('of Gemini costs by what was read, and by the traffic it was', () => {
    const raw = {
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 400_000 },
        { modality: 'AUDIO', tokenCount: 600_000 },
      ],
      cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 100_000 }],
      trafficType: 'ON_DEMAND',
    }
    const call = { provider: 'vertex', modelName: 'gemini-2.5-flash', inputTokens: 1_000_000, cacheReadTokens: 100_000 }

    expect(costOf({ ...call, raw })).toBe('0.63')
    expect(costOf({ ...call, raw: { ...raw, trafficType: 'ON_DEMAND_FLEX' } })).toBeUndefined()
    expect(costOf({ ...call, cacheReadTokens: 0, raw: { trafficType: 'ON_DEMAND_FLEX' } })).toBe('0.15')
    expect(costOf({ ...call, raw: { ...raw, trafficType: 'PROVISIONED_THROUGHPUT' } })).toBeUndefined()
  })
})

describe('what is not counted in tokens', () => {
  it('costs by the hour where a model hears, and nothing is said of tokens', () => {
    const whisper = { modelName: 'whisper-1', usageSource: 'unknown', raw: { type: 'duration', seconds: 90 } } as const
    const voxtral = {
      provider: 'mistral',
      modelName: 'voxtral-mini-latest',
      inputTokens: 380,
      outputTokens: 11,
      raw: { prompt_audio_seconds: 3, prompt_tokens_details: { audio_tokens: 375 } },
    }

    expect(costOf(whisper)).toBe('0.009')
    expect(costOf(voxtral)).toBe('0.00015')
  })

  it("costs by the image's own counts, whatever 1 and 1 the row has", () => {
    const raw = {
      images: 1,
      input_tokens: 50,
      input_tokens_details: { text_tokens: 10, image_tokens: 40 },
      output_tokens: 1056,
    }
    const image = { requestType: 'image', usageSource: 'fixed', inputTokens: 1, outputTokens: 1 } as const

    expect(costOf({ ...image, modelName: 'gpt-image-1', raw })).toBe('0.04269')
    expect(costOf({ ...image, modelName: 'gpt-image-1.5', raw })).toBe('0.034162')
    expect(costOf({ ...image, modelName: 'dall-e-3', raw: { images: 2 } })).toBeUndefined()
  })

  // 25 and 9 of 91 and 11 are billed: the rest is Cohere's own preamble.
  it('is what Cohere does not bill', () => {
    const raw = {
      billed_units: { input_tokens: 25, output_tokens: 9 },
      tokens: { input_tokens: 91, output_tokens: 11 },
    }
    const call = { provider: 'cohere', modelName: 'command-a-03-2025', inputTokens: 91, outputTokens: 11 }

    expect(costOf({ ...call, raw })).toBe('0.0001525')
  })
})
