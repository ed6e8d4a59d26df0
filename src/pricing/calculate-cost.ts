import { toJsonText } from '../usage/json-text.js'
import { formatPicoUsd } from '../usage/pico-usd.js'
import type { TokenUsage } from '../usage/token-usage.js'
import type { CostSource } from '../usage/usage-record.js'
import type { CallCost } from './call-cost.js'
import type { Price, TokenKind, TokenRates } from './price.js'
import { priceList } from './price-list.js'
import { Pricer } from './pricer.js'

/** A model by the name its provider gives it; without a provider the name alone tells whose it is. */
export type ModelName = string | { readonly model: string; readonly provider?: string | undefined }

/** US dollars as decimal strings. The parts, where they are known, make up `costEstimate` to the last digit. */
export type Cost = {
  readonly costEstimate: string
  readonly inputCost: string | null
  readonly outputCost: string | null
  /** Fees, searches, images that are not counted in tokens. */
  readonly otherCost: string | null
  readonly costSource: CostSource
}

/** US dollars for a million tokens of each kind as decimal strings; null where the kind has no rate of its own. */
export type UsdPerMillion = { readonly [kind in TokenKind]?: string | null }

/** What a model costs at one time by the list. */
export type ListedPrice = {
  readonly usdPerMillion: UsdPerMillion
  /** What holds instead for all tokens of a call that reads more; in ascending order. */
  readonly contextTiers: readonly { readonly aboveInputTokens: number; readonly usdPerMillion: UsdPerMillion }[]
  /** US dollars for each call. */
  readonly usdPerRequest: string
}

const pricer = new Pricer([priceList])

/**
 * What a call cost that was made `at` this time (now by default): what its provider reported in `usage.raw`, else by the
 * list that comes along, without your own prices. Null where its usage or its price is not known. Never throws.
 */
export function calculateCost(usage: TokenUsage, model: ModelName, at: Date | number = Date.now()): Cost | null {
  const { inputTokens, outputTokens, raw } = usage
  const isKnown = inputTokens !== null && outputTokens !== null
  const cost = pricer.price({
    ...namesOf(model),
    timestamp: Number(at),
    requestType: 'chat',
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    cacheReadTokens: usage.cacheReadTokens,
    cacheWriteTokens: usage.cacheWriteTokens,
    reasoningTokens: usage.reasoningTokens,
    usageSource: raw?.images !== undefined ? 'fixed' : isKnown ? 'provider' : 'unknown',
    status: 'ok',
    rawUsage: toJsonText(raw),
  })
  return cost && formatCost(cost)
}

/** The price of a model in the list that comes along, `at` this time (now by default); undefined where it has none. */
export function findModelPrice(model: ModelName, at: Date | number = Date.now()): ListedPrice | undefined {
  const { provider, modelName } = namesOf(model)
  const price = priceList.findPrices({ provider, model: modelName, serviceTier: null })?.priceAt(Number(at))
  return price && formatPrice(price)
}

/** An exact cost as a row holds it. */
export function formatCost({ total, input, output, other, source }: CallCost): Cost {
  const part = (pico: bigint | null) => (pico === null ? null : formatPicoUsd(pico))
  return {
    costEstimate: formatPicoUsd(total),
    inputCost: part(input),
    outputCost: part(output),
    otherCost: part(other),
    costSource: source,
  }
}

function formatPrice({ rates, contextTiers, fees }: Price): ListedPrice {
  return {
    usdPerMillion: formatRates(rates),
    contextTiers: contextTiers.map((tier) => ({
      aboveInputTokens: tier.aboveInputTokens,
      usdPerMillion: formatRates(tier.rates),
    })),
    usdPerRequest: formatPicoUsd(fees.request),
  }
}

function formatRates(rates: TokenRates): UsdPerMillion {
  return Object.fromEntries(
    Object.entries(rates).map(([kind, rate]) => [kind, rate === null ? null : formatPicoUsd(rate)]),
  )
}

function namesOf(model: ModelName): { readonly provider: string | null; readonly modelName: string } {
  if (typeof model === 'string') return { provider: null, modelName: model }
  return { provider: model.provider ?? null, modelName: model.model }
}
