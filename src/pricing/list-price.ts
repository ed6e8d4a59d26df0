import type { ConditionalPrice, ModelPrice, TieredPrices } from '@pydantic/genai-prices'
import { toPicoUsd } from '../usage/pico-usd.js'
import { type ContextTier, type Fees, noFees, noRates, type Price, type TokenKind, type TokenRates } from './price.js'
import type { PriceSchedule } from './price-source.js'

/** How a tier's price for tokens is made of the standard one. Fees stay as they are. */
export type Factor = {
  readonly percent: bigint
  /** Kinds of which it is not known what they cost in this tier. */
  readonly unpriced?: readonly TokenKind[]
}

/** How a model's prices in the list are to be read. */
export type ListTerms = {
  readonly factor: Factor
  /** Audio without a price of its own costs what text does; otherwise its price is not known. */
  readonly isAudioAsText: boolean
}

const kindsByKey: Readonly<Record<string, TokenKind>> = {
  input_mtok: 'input',
  cache_read_mtok: 'cacheRead',
  cache_write_mtok: 'cacheWrite5m',
  cache_write_1h_mtok: 'cacheWrite1h',
  input_audio_mtok: 'inputAudio',
  input_image_mtok: 'inputImage',
  input_video_mtok: 'inputVideo',
  cache_audio_read_mtok: 'cacheReadAudio',
  cache_image_read_mtok: 'cacheReadImage',
  output_mtok: 'output',
  output_reasoning_mtok: 'reasoning',
  output_audio_mtok: 'outputAudio',
  output_image_mtok: 'outputImage',
  output_video_mtok: 'outputVideo',
}
const feesByKey: Readonly<Record<string, { readonly fee: keyof Fees; readonly per: bigint }>> = {
  web_searches_kcount: { fee: 'webSearch', per: 1000n },
  audio_hours: { fee: 'audioHour', per: 1n },
  input_audio_hours: { fee: 'audioHour', per: 1n },
}
const audioKinds: readonly TokenKind[] = ['inputAudio', 'outputAudio']
/** Charged for what no answer tells. */
const untold: ReadonlySet<string> = new Set(['storage_searches_kcount'])

/** The prices that a model of the list has had, with their dates and times of day, ready to be asked. */
export function compilePrices(prices: readonly ConditionalPrice[] | ModelPrice, terms: ListTerms): PriceSchedule {
  const conditional = Array.isArray(prices)
    ? (prices as readonly ConditionalPrice[])
    : [{ prices: prices as ModelPrice }]
  const periods = conditional.map(({ constraint, prices: listed }) => ({
    holdsAt: holdsAt(constraint),
    price: compilePrice(listed, terms),
  }))
  return {
    // The last that holds, and where none does the first.
    priceAt: (time) => (periods.findLast((period) => period.holdsAt(time)) ?? periods[0])?.price,
  }
}

function holdsAt(constraint: ConditionalPrice['constraint']): (time: number) => boolean {
  if (constraint === undefined) return () => true
  if (constraint.type === 'start_date') {
    const start = Date.parse(constraint.start_date)
    return (time) => time >= start
  }
  const [start, end] = [millisecondsOfDay(constraint.start_time), millisecondsOfDay(constraint.end_time)]
  const isInside = (time: number) => time >= start && time < end
  const isOverMidnight = (time: number) => time >= start || time < end
  const test = end < start ? isOverMidnight : isInside
  return (time) => test(((time % msPerDay) + msPerDay) % msPerDay)
}

const msPerDay = 86_400_000

function millisecondsOfDay(time: string): number {
  return Date.parse(`1970-01-02T${time}`) % msPerDay
}

// A price of nothing is a gap in the list, and what it has besides known units would be left out of a cost.
function compilePrice(listed: ModelPrice, { factor, isAudioAsText }: ListTerms): Price | undefined {
  const entries = Object.entries(listed).filter(([key, value]) => value !== undefined && !untold.has(key))
  const isKnown = entries.every(([key]) => key in kindsByKey || key in feesByKey)
  const isFree = entries.every(([, value]) => priceAbove(value as number | TieredPrices, 0) === 0)
  if (!isKnown || isFree) return undefined
  const isByHour = 'audio_hours' in listed && !('input_mtok' in listed)
  const base = isByHour ? { ...noRates, input: 0n, output: 0n } : noRates
  const starts = new Set(entries.flatMap(([, value]) => (typeof value === 'object' ? value.tiers : []).map(startOf)))
  const contextTiers: ContextTier[] = [...starts]
    .sort((a, b) => a - b)
    .map((start) => ({ aboveInputTokens: start, rates: ratesAbove(listed, start, { base, factor }) }))
  const rates = ratesAbove(listed, -1, { base, factor })
  const audio = isAudioAsText ? [] : audioKinds.filter((kind) => rates[kind] === null)
  return { rates, contextTiers, fees: feesOf(listed), unpriced: [...audio, ...(factor.unpriced ?? [])] }
}

function startOf({ start }: { readonly start: number }): number {
  return start
}

type Making = { readonly base: TokenRates; readonly factor: Factor }

function ratesAbove(listed: ModelPrice, start: number, { base, factor }: Making): TokenRates {
  const rates: Partial<Record<TokenKind, bigint | null>> = { ...base }
  for (const [key, kind] of Object.entries(kindsByKey)) {
    const value = listed[key]
    const pico = value === undefined ? null : toPicoUsd(priceAbove(value, start))
    if (pico !== null) rates[kind] = (pico * factor.percent) / 100n
  }
  return { ...base, ...rates }
}

function priceAbove(value: number | TieredPrices, start: number): number {
  if (typeof value === 'number') return value
  return value.tiers.findLast((tier) => tier.start <= start)?.price ?? value.base
}

function feesOf(listed: ModelPrice): Fees {
  const fees = { ...noFees }
  for (const [key, { fee, per }] of Object.entries(feesByKey)) {
    const value = listed[key]
    const pico = typeof value === 'number' ? toPicoUsd(value) : null
    if (pico !== null) fees[fee] = pico / per
  }
  return fees
}
