import { describeTime, keyOf, type TokenPrice } from './token-price.js'

export type StoredPrice = TokenPrice & { readonly id: number }

/** What has to happen for new prices to hold. `index` is that of the new price. */
export type PricePlan = {
  readonly added: readonly TokenPrice[]
  /** Stored prices with the moment that they end at now, which is where they begin if they are replaced altogether. */
  readonly ended: readonly { readonly price: StoredPrice; readonly validTo: string }[]
  /** How many of the new prices are stored already. */
  readonly unchanged: number
  readonly conflicts: readonly { readonly index: number; readonly reason: string }[]
}

type Placed = { price: TokenPrice; validTo: string | null; readonly stored?: StoredPrice; readonly index?: number }
type Indexed = { readonly price: TokenPrice; readonly index: number }

/**
 * Places new prices among the stored ones of the same provider, pattern and tier. A new price ends the one that holds when
 * it begins; without an end of its own it holds until the next one begins, and after its end the ended one holds again.
 */
export function placePrices(stored: readonly StoredPrice[], prices: readonly TokenPrice[]): PricePlan {
  const timelines = new Map<string, Placed[]>()
  for (const price of stored) {
    const { validTo } = price
    if (validTo !== price.validFrom) timelineOf(timelines, price).push({ price, validTo, stored: price })
  }
  const ordered = prices.map((price, index) => ({ price, index }))
  ordered.sort((a, b) => compareText(a.price.validFrom, b.price.validFrom) || a.index - b.index)
  const outcomes = ordered.map((one) => ({ index: one.index, outcome: place(timelineOf(timelines, one.price), one) }))

  const placed = [...timelines.values()].flat()
  return {
    added: placed.filter(isAdded).map(({ price, validTo }) => ({ ...price, validTo })),
    ended: placed.flatMap(({ stored: price, validTo }) =>
      price === undefined || validTo === null || validTo === price.validTo ? [] : [{ price, validTo }],
    ),
    unchanged: outcomes.filter(({ outcome }) => outcome === 'unchanged').length,
    conflicts: outcomes.flatMap(({ index, outcome }) => (typeof outcome === 'object' ? [{ index, ...outcome }] : [])),
  }
}

function isAdded({ stored, price, validTo }: Placed): boolean {
  return stored === undefined && validTo !== price.validFrom
}

function timelineOf(timelines: Map<string, Placed[]>, price: TokenPrice): Placed[] {
  const key = keyOf(price)
  const timeline = timelines.get(key) ?? []
  timelines.set(key, timeline)
  return timeline
}

function place(timeline: Placed[], { price, index }: Indexed): 'placed' | 'unchanged' | { reason: string } {
  const { validFrom: from } = price
  const holder = timeline.find((one) => one.price.validFrom <= from && (one.validTo === null || from < one.validTo))
  const next = timeline
    .filter((one) => one.price.validFrom > from)
    .reduce<Placed | undefined>((a, b) => (a && a.price.validFrom < b.price.validFrom ? a : b), undefined)

  if (holder?.stored && isSame(holder, price)) return 'unchanged'
  if (holder?.index !== undefined && (holder.price.validFrom === from || holder.price.validTo !== null)) {
    return { reason: `it overlaps another price of this file, which begins ${describeTime(holder.price.validFrom)}` }
  }
  if (next && price.validTo !== null && price.validTo > next.price.validFrom) {
    return { reason: `it overlaps a price that begins ${describeTime(next.price.validFrom)}, before it ends` }
  }

  const validTo = price.validTo ?? next?.price.validFrom ?? null
  if (holder) resume(timeline, holder, { from, to: validTo })
  timeline.push({ price, validTo, index })
  return 'placed'
}

function isSame(holder: Placed, price: TokenPrice): boolean {
  const hasSameEnd = price.validTo === null || price.validTo === holder.validTo
  return holder.price.validFrom === price.validFrom && hasSameEnd && hasSameAmounts(holder.price, price)
}

function hasSameAmounts({ usd: a }: TokenPrice, { usd: b }: TokenPrice): boolean {
  const columns = Object.keys({ ...a, ...b }) as (keyof typeof a)[]
  return columns.every((column) => a[column] === b[column])
}

function resume(timeline: Placed[], holder: Placed, gap: { readonly from: string; readonly to: string | null }): void {
  const { price, validTo } = holder
  if (gap.to !== null && (validTo === null || gap.to < validTo))
    timeline.push({ price: { ...price, validFrom: gap.to }, validTo })
  holder.validTo = gap.from
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
