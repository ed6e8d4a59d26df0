import { calcPrice, findProvider, type Provider } from '@pydantic/genai-prices'
import { describe, expect, it } from 'vitest'
import { countBillable } from '../../src/pricing/billable-usage.js'
import { charge } from '../../src/pricing/charge.js'
import { compilePrices } from '../../src/pricing/list-price.js'
import { priceList } from '../../src/pricing/price-list.js'
import { Pricer } from '../../src/pricing/pricer.js'
import { createSeededRandom, type SeededRandom } from '../support/seeded-random.js'
import { pricedCall } from './priced-call.js'

const pricer = new Pricer([priceList])
const find = (provider: string | null, model: string) => priceList.findPrices({ provider, model, serviceTier: null })

const compared = {
  openai: 'openai',
  anthropic: 'anthropic',
  google: 'gemini',
  aws: 'bedrock',
  azure: 'azure',
  'x-ai': 'xai',
  groq: 'groq',
  mistral: 'mistral',
  cohere: 'cohere',
  deepseek: 'deepseek',
  together: 'together',
  cerebras: 'cerebras',
  openrouter: 'openrouter',
  fireworks: 'fireworks',
}

describe('the list', () => {
  it('costs what the library computes, for every model, at any time and of any size', () => {
    const random = createSeededRandom(5)
    const differing: string[] = []
    let models = 0
    for (const [listed, provider] of Object.entries(compared)) {
      for (const { id } of (findProvider({ providerId: listed }) as Provider).models) {
        const schedule = find(provider, id)
        if (schedule === undefined) continue
        models += 1
        for (let round = 0; round < 3; round++) {
          const timestamp = Date.UTC(2024, 0, 1) + random.integer(0, 1200 * 86_400) * 1000
          const price = schedule.priceAt(timestamp)
          const isEmbedding = price?.rates.output === null
          const counts = randomCounts(random)
          const outputTokens = isEmbedding ? 0 : counts.outputTokens
          const call = pricedCall({ provider, modelName: id, timestamp, ...counts, outputTokens })
          const usage = countBillable(call, {})
          const cost = price && usage && charge(usage, price, 'list')
          const theirs = theirCost(call, listed)
          const isSame = cost ? Math.abs(Number(cost.total) / 1e12 - theirs) <= theirs * 1e-9 + 2e-12 : theirs === 0
          if (!isSame) differing.push(`${provider} ${id}: ${cost?.total}, and by the library ${theirs}`)
        }
      }
    }

    console.log(`${models} models of ${Object.keys(compared).length} providers compared, three calls each`)
    expect(differing).toEqual([])
    expect(models).toBeGreaterThan(500)
  })

  it('knows the prices of a time of day', () => {
    const at = (hour: number) => find('deepseek', 'deepseek-chat')?.priceAt(Date.UTC(2025, 6, 1, hour))?.rates.input

    expect([at(0), at(1), at(16), at(17)]).toEqual([135n, 270n, 270n, 135n].map((rate) => rate * 1_000_000_000n))
  })

  it('knows the prices of a time of day that is over midnight', () => {
    const constraint = { type: 'time_of_date', start_time: '22:00:00Z', end_time: '04:00:00Z' } as const
    const prices = [{ prices: { input_mtok: 1 } }, { constraint, prices: { input_mtok: 2 } }]
    const schedule = compilePrices(prices, { factor: { percent: 100n }, isAudioAsText: true })
    const at = (hour: number) => schedule.priceAt(Date.UTC(2025, 6, 1, hour))?.rates.input

    expect([at(21), at(22), at(3), at(4)]).toEqual([1n, 2n, 2n, 1n].map((rate) => rate * 1_000_000_000_000n))
  })

  it('knows the prices of a date', () => {
    const at = (time: number) => find('openai', 'gpt-5.6-sol')?.priceAt(time)?.rates.input
    const cut = Date.UTC(2026, 7, 21)

    expect([at(cut - 1), at(cut)]).toEqual([5_000_000_000_000n, 4_000_000_000_000n])
  })

  it.each([
    ['ollama', 'llama3.3'],
    ['lmstudio', 'qwen/qwen3-8b'],
    ['llama.cpp', 'anything at all'],
    ['Ollama', 'gpt-oss:20b'],
  ])('has models of %s for free', (provider, modelName) => {
    const cost = pricer.price(pricedCall({ provider, modelName, inputTokens: 1000, outputTokens: 10 }))

    expect(cost).toEqual({ total: 0n, input: 0n, output: 0n, other: 0n, source: 'list' })
  })

  it.each([
    ['ollama', 'gpt-oss:120b-cloud', 'runs on servers of Ollama'],
    ['ollama_cloud', 'gpt-oss:120b', 'does as well'],
    ['openai', 'a-model-of-next-year', 'is not in it'],
    ['openai', 'gpt-oss-20b', 'may be served by anybody'],
    ['nobody', 'gpt-4o', 'is of a provider that is not in it'],
    ['mistral', 'mistral-nemo:free', 'has a price of 0 there'],
    ['perplexity', 'sonar-pro', 'is charged by how much it searched'],
    ['mistral', 'mistral-ocr-latest', 'is charged by the page'],
    ['openai', '', 'has no name'],
    ['openai', 'x'.repeat(256), 'has a name of 256 characters'],
    ['__proto__', 'constructor', 'is called as what every object has'],
  ])('has no price for what %s calls %s, which %s', (provider, modelName) => {
    expect(pricer.price(pricedCall({ provider, modelName, inputTokens: 1000, outputTokens: 10 }))).toBeNull()
  })

  it("has no price for audio where it has a gap, and Google's one price for all input", () => {
    const audio = { inputTokens: 1000, raw: { prompt_tokens_details: { audio_tokens: 400 } } }
    const heard = { inputTokens: 1000, raw: { promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 1000 }] } }

    expect(pricer.price(pricedCall({ ...audio, modelName: 'gpt-4o-audio-preview' }))).toBeNull()
    expect(pricer.price(pricedCall({ ...heard, provider: 'gemini', modelName: 'gemini-2.5-pro' }))?.total).toBe(
      1_250_000_000n,
    )
  })

  it('finds a model by its name alone where nobody knows the provider', () => {
    expect(find(null, 'gpt-4o-mini')?.priceAt(Date.UTC(2026, 0, 1))?.rates.output).toBe(600_000_000_000n)
    expect(find(null, 'llama3')).toBeUndefined()
  })
})

function randomCounts(random: SeededRandom) {
  const parts = [random.integer(0, 300_000), random.integer(0, 50_000), random.integer(0, 50_000)] as const
  const [plain, cacheReadTokens, cacheWriteTokens] = parts
  return {
    inputTokens: plain + cacheReadTokens + cacheWriteTokens,
    outputTokens: random.integer(0, 20_000),
    cacheReadTokens,
    cacheWriteTokens,
  }
}

function theirCost(call: ReturnType<typeof pricedCall>, providerId: string): number {
  const usage = {
    input_tokens: call.inputTokens,
    output_tokens: call.outputTokens,
    cache_read_tokens: call.cacheReadTokens ?? 0,
    cache_write_tokens: call.cacheWriteTokens ?? 0,
  }
  return calcPrice(usage, call.modelName, { providerId, timestamp: new Date(call.timestamp) })?.total_price ?? 0
}
