import type { PricedModel, PriceSchedule, PriceSource } from './price-source.js'
import { type TokenPrice, toPrice } from './token-price.js'

/**
 * The user's own prices as a source. Of several that fit a call the one whose pattern has the most characters besides `*`
 * holds, then one that names the provider, then one that names the tier.
 */
export function createOwnPrices(prices: readonly TokenPrice[]): PriceSource {
  return { costSource: 'override', findPrices: (model) => findPrices(prices, model) }
}

function findPrices(
  prices: readonly TokenPrice[],
  { provider, model, serviceTier }: PricedModel,
): PriceSchedule | undefined {
  const name = model.toLowerCase()
  const fits = (own: TokenPrice) =>
    isNamedBy(own.provider, provider?.toLowerCase()) &&
    isNamedBy(own.serviceTier, serviceTier?.toLowerCase() ?? 'standard') &&
    matches(own.modelPattern, name)
  const schedule = prices
    .filter(fits)
    .sort(compareFit)
    .map((own) => ({
      from: Date.parse(own.validFrom),
      to: own.validTo === null ? Number.POSITIVE_INFINITY : Date.parse(own.validTo),
      price: toPrice(own),
    }))
  if (schedule.length === 0) return undefined
  return { priceAt: (time) => schedule.find(({ from, to }) => from <= time && time < to)?.price }
}

function isNamedBy(name: string, asked: string | undefined): boolean {
  return name === '*' || name === asked
}

// Not a regular expression: with many stars one can take for ever to say no.
function matches(pattern: string, name: string): boolean {
  const [start = '', ...parts] = pattern.split('*')
  const end = parts.pop()
  if (end === undefined) return name === pattern
  if (name.length < start.length + end.length || !name.startsWith(start) || !name.endsWith(end)) return false
  let rest = name.slice(start.length, name.length - end.length)
  for (const part of parts) {
    const index = rest.indexOf(part)
    if (index < 0) return false
    rest = rest.slice(index + part.length)
  }
  return true
}

function compareFit(a: TokenPrice, b: TokenPrice): number {
  return (
    literalLength(b.modelPattern) - literalLength(a.modelPattern) ||
    Number(a.modelPattern.includes('*')) - Number(b.modelPattern.includes('*')) ||
    Number(a.provider === '*') - Number(b.provider === '*') ||
    Number(a.serviceTier === '*') - Number(b.serviceTier === '*')
  )
}

function literalLength(pattern: string): number {
  return pattern.replaceAll('*', '').length
}
