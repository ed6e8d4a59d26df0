import { calcPrice, type PriceCalculation } from '@pydantic/genai-prices'
import { compilePrices, type Factor } from './list-price.js'
import { noFees, noRates, type Price } from './price.js'
import type { PricedModel, PriceSchedule, PriceSource } from './price-source.js'

/** Where the list's name of a provider is not the one that rows have. */
const listNames: Readonly<Record<string, string>> = {
  gemini: 'google',
  vertex: 'google',
  bedrock: 'aws',
  xai: 'x-ai',
  voyage: 'voyageai',
}
const local: ReadonlySet<string> = new Set(['ollama', 'lmstudio', 'lm-studio', 'llamacpp', 'llama.cpp', 'llama-cpp'])
/** Models that Ollama passes on to its own servers. */
const hosted = /[:-]cloud$/
/** Models that anybody may serve, and that OpenAI, whose name servers of one's own go by, does not. */
const openWeights = /^gpt-oss/i

const standard: Factor = { percent: 100n }
const half: Factor = { percent: 50n }
/** Google says half for input and output, and not what it takes for what was read from the cache. */
const halfBesidesCache: Factor = { percent: 50n, unpriced: ['cacheRead', 'cacheReadAudio', 'cacheReadImage'] }
/**
 * Tiers whose price is the standard one times a factor for every model, by the providers' pricing pages. What is charged
 * more for, as OpenAI's priority, differs from model to model, and is in no list: such calls have no price here.
 */
const factors: Readonly<Record<string, Readonly<Record<string, Factor>>>> = {
  openai: { batch: half, flex: half },
  azure: { batch: half },
  anthropic: { batch: half },
  google: { batch: halfBesidesCache, flex: halfBesidesCache },
  groq: { batch: half, flex: standard },
  mistral: { batch: half },
  'x-ai': { batch: { percent: 80n } },
}
/** Anthropic takes a tenth more for what is answered in the United States only. */
const percentOfRegion: Readonly<Record<string, Readonly<Record<string, bigint>>>> = { anthropic: { us: 110n } }

const free: Price = {
  rates: { ...noRates, input: 0n, output: 0n },
  contextTiers: [],
  fees: { ...noFees, webSearch: 0n },
}
const freeAlways: PriceSchedule = { priceAt: () => free }

/**
 * The prices of `@pydantic/genai-prices` as they were when this version of tokenledger was made: nothing is fetched.
 * Local models (Ollama, LM Studio, llama.cpp) are free. A price that the list gives as 0 is none, and so is one for calls,
 * which Perplexity charges by how much it searched.
 */
export const priceList: PriceSource = { costSource: 'list', findPrices }

function findPrices(model: PricedModel): PriceSchedule | undefined {
  const provider = model.provider?.trim().toLowerCase()
  if (provider !== undefined && local.has(provider)) return hosted.test(model.model) ? undefined : freeAlways
  if ((provider === undefined || provider === 'openai') && openWeights.test(model.model)) return undefined
  const found = findInList(model.model, provider)
  if (found === null) return undefined
  const factor = findFactor(found.provider.id, model)
  // Google has one price for all input where it names none for audio; elsewhere the list then has a gap.
  return factor && compilePrices(found.model.prices, { factor, isAudioAsText: found.provider.id === 'google' })
}

// The list is asked as its own users ask it, since how it tells models apart is not for others to repeat.
function findInList(model: string, provider: string | undefined): PriceCalculation | null {
  try {
    return calcPrice({}, model, provider === undefined ? {} : { providerId: listNames[provider] ?? provider })
  } catch {
    return null
  }
}

function findFactor(provider: string, { serviceTier, region }: PricedModel): Factor | undefined {
  const ofTier = serviceTier === null ? standard : factors[provider]?.[serviceTier]
  const percent = region == null ? 100n : percentOfRegion[provider]?.[region]
  if (ofTier === undefined || percent === undefined) return undefined
  return percent === 100n ? ofTier : { ...ofTier, percent: (ofTier.percent * percent) / 100n }
}
