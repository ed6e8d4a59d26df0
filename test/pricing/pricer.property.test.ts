import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countBillable } from '../../src/pricing/billable-usage.js'
import { charge } from '../../src/pricing/charge.js'
import { noFees, noRates, type Price, type TokenRates } from '../../src/pricing/price.js'
import { priceList } from '../../src/pricing/price-list.js'
import type { PriceSource } from '../../src/pricing/price-source.js'
import { Pricer } from '../../src/pricing/pricer.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { formatPicoUsd, toPicoUsd } from '../../src/usage/pico-usd.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'
import { pricedCall } from './priced-call.js'

const mostTokens = 2_147_483_647
const rate = fc.bigInt({ min: 0n, max: 1_000_000_000_000_000n })
const rateOrNone = fc.option(rate, { nil: null })
const rates: fc.Arbitrary<TokenRates> = fc.record({
  input: rate,
  cacheRead: rateOrNone,
  cacheWrite5m: rateOrNone,
  cacheWrite1h: rateOrNone,
  inputAudio: rateOrNone,
  inputImage: rateOrNone,
  output: rate,
  reasoning: rateOrNone,
  outputAudio: rateOrNone,
  outputImage: rateOrNone,
})
const fees = fc.record({
  request: rate,
  image: rate,
  webSearch: rate,
  audioHour: fc.option(rate, { nil: null }),
})
const price: fc.Arbitrary<Price> = fc.record({ rates, contextTiers: fc.constant([]), fees })

const share = fc.integer({ min: 0, max: Math.floor(mostTokens / 6) })
/** A call whose parts are within their wholes, with what changes its price. */
const call = fc
  .record({
    plain: share,
    read: share,
    write: share,
    hour: share,
    audio: share,
    image: share,
    text: share,
    reasoned: share,
    spoken: share,
    searches: fc.nat(50),
  })
  .map((parts) =>
    pricedCall({
      inputTokens: parts.plain + parts.read + parts.write + parts.audio + parts.image,
      outputTokens: parts.text + parts.reasoned + parts.spoken,
      cacheReadTokens: parts.read,
      cacheWriteTokens: parts.write,
      reasoningTokens: parts.reasoned,
      raw: {
        cache_creation: { ephemeral_1h_input_tokens: Math.min(parts.hour, parts.write) },
        prompt_tokens_details: { audio_tokens: parts.audio, image_tokens: parts.image },
        completion_tokens_details: { audio_tokens: parts.spoken },
        server_tool_use: { web_search_requests: parts.searches },
      },
    }),
  )

const sourceOf = (table: Price): PriceSource => ({
  costSource: 'override',
  findPrices: () => ({ priceAt: () => table }),
})
const priceWith = (table: Price, priced: ReturnType<typeof pricedCall>) => new Pricer([sourceOf(table)]).price(priced)

describe('a cost by any price table', () => {
  it('is its parts to the last digit, also as the row writes them down', () => {
    fc.assert(
      fc.property(price, call, (table, priced) => {
        const cost = priceWith(table, priced)
        if (cost === null) return
        const parts = [cost.input, cost.output, cost.other].map((part) => toPicoUsd(formatPicoUsd(part ?? -1n)) ?? -1n)
        expect(parts.reduce((sum, part) => sum + part)).toBe(toPicoUsd(formatPicoUsd(cost.total)))
      }),
    )
  })

  it('is within half a trillionth of a dollar of the true one, for input and for output', () => {
    fc.assert(
      fc.property(price, call, (table, priced) => {
        const usage = countBillable(priced, JSON.parse(priced.rawUsage ?? '{}'))
        const cost = usage && charge({ ...usage, audioSeconds: 0 }, table, 'list')
        if (!usage || !cost) return
        const { output, reasoning, outputAudio } = usage.tokens
        const { rates: to } = table
        const exact =
          BigInt(output) * (to.output ?? 0n) +
          BigInt(reasoning) * (to.reasoning ?? to.output ?? 0n) +
          BigInt(outputAudio) * (to.outputAudio ?? to.output ?? 0n)
        const difference = (cost.output ?? 0n) * 1_000_000n - exact
        expect(difference <= 500_000n && difference > -500_000n).toBe(true)
      }),
    )
  })

  it('never falls when there are more tokens of a kind', () => {
    const kind = fc.constantFrom('inputTokens', 'outputTokens')
    fc.assert(
      fc.property(price, call, kind, fc.nat(1_000_000), (table, priced, field, more) => {
        const [less, cost] = [priceWith(table, priced), priceWith(table, { ...priced, [field]: priced[field] + more })]
        if (less !== null && cost !== null) expect(cost.total >= less.total).toBe(true)
      }),
    )
  })

  it('of two calls is that of both together, but for what is rounded and charged by the call', () => {
    const withoutFees = price.map((table) => ({ ...table, fees: { ...table.fees, request: 0n } }))
    fc.assert(
      fc.property(withoutFees, share, share, share, (table, one, other, out) => {
        const costs = [
          [one, out],
          [other, out],
          [one + other, 2 * out],
        ].map(([inputTokens = 0, outputTokens = 0]) => priceWith(table, pricedCall({ inputTokens, outputTokens })))
        const [a, b, both] = costs.map((cost) => cost?.total ?? 0n)
        if (costs.includes(null) || a === undefined || b === undefined || both === undefined) return
        const rounded = both - a - b
        expect(rounded >= -4n && rounded <= 4n).toBe(true)
      }),
    )
  })

  it('is exact or none at the largest counts and prices', () => {
    const most = { ...noRates, input: 1_000_000_000_000_000_000n, output: 1_000_000_000_000_000_000n }
    const full = pricedCall({ inputTokens: mostTokens, outputTokens: mostTokens })
    const million = { ...noRates, input: 600_000_000_000_000n, output: 600_000_000_000_000n }

    expect(priceWith({ rates: most, contextTiers: [], fees: noFees }, full)).toBeNull()
    expect(priceWith({ rates: million, contextTiers: [], fees: noFees }, full)?.total).toBe(
      2n * BigInt(mostTokens) * 600_000_000n,
    )
  })
})

describe('whatever a row or a provider says', () => {
  const number = fc.oneof(fc.nat(), fc.double(), fc.integer(), fc.constantFrom(2 ** 53, -1, 1e300, 1e-300, '7', null))
  const names = [
    'cost',
    'cost_in_usd_ticks',
    'cost_details',
    'is_byok',
    'total_cost',
    'batch',
    'service_tier',
    'speed',
    'iterations',
    'billed_units',
    'input_tokens',
    'output_tokens',
    'images',
    'type',
    'seconds',
    'prompt_audio_seconds',
    'tool_usage',
    'promptTokensDetails',
    'cacheTokensDetails',
    'candidatesTokensDetails',
    'prompt_tokens_details',
    'audio_tokens',
    'image_tokens',
    'cache_creation',
    'ephemeral_1h_input_tokens',
    'cacheDetails',
    'server_tool_use',
    'web_search_requests',
    'modality',
    'tokenCount',
    'model',
    '__proto__',
  ]
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      number,
      fc.constantFrom('duration', 'batch', 'AUDIO', 'advisor', 'claude-opus-4-5', true),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names), tie('tree'), { maxKeys: 6 }),
    ),
  }))
  const raw = fc.dictionary(fc.constantFrom(...names), tree, { maxKeys: 8 })
  const source = fc.constantFrom('provider', 'provider_partial', 'unknown', 'fixed', 'estimated', 'nonsense')
  const pricer = new Pricer([priceList])

  it('gives an amount that the table takes, or none, and never throws', () => {
    const names = fc.constantFrom(
      'openai',
      'anthropic',
      'xai',
      'openrouter',
      'cohere',
      'mistral',
      'gemini',
      'ollama',
      null,
    )
    const models = fc.constantFrom('gpt-4o', 'claude-opus-4-5', 'whisper-1', 'gpt-image-1', 'gemini-2.5-flash', 'x', '')
    const counts = { inputTokens: number, outputTokens: number, cacheReadTokens: number, cacheWriteTokens: number }
    fc.assert(
      fc.property(
        fc.record({ ...counts, reasoningTokens: number, costEstimate: number }),
        names,
        models,
        source,
        raw,
        (entry, provider, modelName, usageSource, rawUsage) => {
          const record = toUsageRecord(draftRecord({ ...entry, provider, modelName, usageSource, rawUsage }, {}, 0))
          const { costEstimate, inputCost, outputCost, otherCost, costSource } = pricer.withCost(record)
          const parts = [inputCost, outputCost, otherCost]

          for (const amount of [costEstimate, ...parts])
            expect(amount === null || /^\d{1,7}(\.\d{1,12})?$/.test(amount)).toBe(true)
          expect(costSource === null).toBe(costEstimate === null)
          if (!parts.includes(null)) {
            const sum = parts.reduce((total, part) => total + (toPicoUsd(part) ?? 0n), 0n)
            expect(sum).toBe(toPicoUsd(costEstimate))
          }
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('costs nothing but a null where a source itself throws', () => {
    const broken: PriceSource = {
      costSource: 'override',
      findPrices: () => {
        throw new Error('broken')
      },
    }

    expect(new Pricer([broken, priceList]).price(pricedCall({ inputTokens: 1 }))).toBeNull()
  })
})
