import fc from 'fast-check'
import type { PriceSource } from '../../src/pricing/price-source.js'
import type { TokenPrice } from '../../src/pricing/token-price.js'

/** A price from one day of January to another, itself not in it; without an end where it says none. */
export type Placement = { readonly from: number; readonly to?: number | undefined }

const lastDay = 28
const allDays = Array.from({ length: lastDay }, (_, index) => index + 1)

export const placement = fc
  .record({
    from: fc.integer({ min: 1, max: lastDay }),
    days: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
  })
  .map(({ from, days }): Placement => ({ from, to: days && from + days }))

export function day(number: number): string {
  return new Date(Date.UTC(2026, 0, number)).toISOString().replace('Z', '000Z')
}

export function priceOf({ from, to, usd }: Placement & { readonly usd: string }): TokenPrice {
  const names = { provider: 'a', modelPattern: 'm', serviceTier: '*' }
  return { ...names, validFrom: day(from), validTo: to === undefined ? null : day(to), usd: { input_per_million: usd } }
}

/** The price of each day, kept day by day: what placing prices has to come to. */
export function createTimeline() {
  const prices: (string | undefined)[] = Array(lastDay + 20)
  const findNext = (from: number) => {
    const next = prices.findIndex((price, index) => index > from && price !== undefined && price !== prices[index - 1])
    return next < 0 ? undefined : next
  }
  return {
    /** Whether the price finds a place. */
    place({ from, to }: Placement, usd: string): boolean {
      const next = findNext(from)
      if (to !== undefined && next !== undefined && to > next) return false
      prices.fill(usd, from, to ?? next)
      return true
    },
    days: () => allDays.map((number) => prices[number]),
    readFrom(own: PriceSource): (string | undefined)[] {
      const schedule = own.findPrices({ provider: 'a', model: 'm', serviceTier: null })
      return allDays.map((number) => {
        const input = schedule?.priceAt(Date.parse(day(number)))?.rates.input
        return input == null ? undefined : String(input / 10n ** 12n)
      })
    },
  }
}
