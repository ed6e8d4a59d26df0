import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createOwnPrices } from '../../src/pricing/own-prices.js'
import { type PricePlan, placePrices, type StoredPrice } from '../../src/pricing/place-prices.js'
import type { TokenPrice } from '../../src/pricing/token-price.js'
import { createTimeline, day, type Placement, placement, priceOf } from './price-timeline.js'

/** What the table holds after a plan. */
function applyPlan(stored: readonly StoredPrice[], { added, ended }: PricePlan): StoredPrice[] {
  const endOf = new Map(ended.map(({ price, validTo }) => [price.id, validTo]))
  return [
    ...stored.map((price) => ({ ...price, validTo: endOf.get(price.id) ?? price.validTo })),
    ...added.map((price, index) => ({ ...price, id: stored.length + index + 1 })),
  ]
}

function place(stored: readonly StoredPrice[], ...prices: TokenPrice[]): StoredPrice[] {
  const plan = placePrices(stored, prices)
  expect(plan.conflicts).toEqual([])
  return applyPlan(stored, plan)
}

function holding(prices: readonly StoredPrice[]): object[] {
  return prices
    .filter(({ validFrom, validTo }) => validTo !== validFrom)
    .sort((a, b) => (a.validFrom < b.validFrom ? -1 : 1))
    .map(({ validFrom, validTo, usd }) => [
      validFrom.slice(8, 10),
      validTo?.slice(8, 10) ?? null,
      usd.input_per_million,
    ])
}

describe('placing prices', () => {
  it('ends the price that holds when the new one begins', () => {
    expect(holding(place(place([], priceOf({ from: 1, usd: '1' })), priceOf({ from: 5, usd: '2' })))).toEqual([
      ['01', '05', '1'],
      ['05', null, '2'],
    ])
  })

  it('lets a new price hold until the next one begins, and a price with an end give way again after it', () => {
    const stored = place([], priceOf({ from: 1, usd: '1' }), priceOf({ from: 20, usd: '2' }))

    expect(holding(place(stored, priceOf({ from: 5, usd: '3' })))).toEqual([
      ['01', '05', '1'],
      ['05', '20', '3'],
      ['20', null, '2'],
    ])
    expect(holding(place(stored, priceOf({ from: 5, to: 9, usd: '3' })))).toEqual([
      ['01', '05', '1'],
      ['05', '09', '3'],
      ['09', '20', '1'],
      ['20', null, '2'],
    ])
  })

  it('replaces a price that begins at the same moment, which then never held', () => {
    const stored = place([], priceOf({ from: 1, usd: '1' }))

    const plan = placePrices(stored, [priceOf({ from: 1, usd: '2' })])

    expect(plan.ended).toMatchObject([{ price: { id: 1 }, validTo: day(1) }])
    expect(holding(applyPlan(stored, plan))).toEqual([['01', null, '2']])
  })

  it('changes nothing where the price is there already, also one that another has ended since', () => {
    const stored = place([], priceOf({ from: 1, usd: '1' }), priceOf({ from: 5, usd: '2' }))

    const plan = placePrices(stored, [priceOf({ from: 1, usd: '1' }), priceOf({ from: 5, usd: '2' })])

    expect(plan).toEqual({ added: [], ended: [], unchanged: 2, conflicts: [] })
  })

  it('refuses a price that ends after another has begun, and prices of one file that overlap', () => {
    const stored = place([], priceOf({ from: 5, usd: '1' }))

    const conflictsOf = (...prices: TokenPrice[]) => placePrices(stored, prices).conflicts.map(({ index }) => index)

    expect(conflictsOf(priceOf({ from: 1, to: 6, usd: '2' }))).toEqual([0])
    expect(conflictsOf(priceOf({ from: 8, to: 12, usd: '2' }), priceOf({ from: 9, usd: '3' }))).toEqual([1])
    expect(conflictsOf(priceOf({ from: 8, usd: '2' }), priceOf({ from: 8, usd: '3' }))).toEqual([1])
  })

  it('leaves prices of another provider, pattern or tier alone', () => {
    const stored = place([], priceOf({ from: 1, usd: '1' }))

    for (const other of [{ provider: 'b' }, { modelPattern: 'n' }, { serviceTier: 'batch' }]) {
      expect(placePrices(stored, [{ ...priceOf({ from: 1, usd: '2' }), ...other }]).ended).toEqual([])
    }
  })

  it('gives every day the price that a calendar would have, whatever prices come in whatever order', () => {
    fc.assert(
      fc.property(fc.array(placement, { maxLength: 25 }), (placements: readonly Placement[]) => {
        const timeline = createTimeline()
        let stored: StoredPrice[] = []
        placements.forEach((one, index) => {
          const plan = placePrices(stored, [priceOf({ ...one, usd: `${index + 1}` })])

          expect(plan.conflicts.length === 0).toBe(timeline.place(one, `${index + 1}`))
          if (plan.conflicts.length === 0) stored = applyPlan(stored, plan)
          expect(timeline.readFrom(createOwnPrices(stored))).toEqual(timeline.days())
        })
      }),
    )
  })
})
