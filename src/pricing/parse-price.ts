import { z } from 'zod'
import { formatPicoUsd, toPicoUsd } from '../usage/pico-usd.js'
import { type PriceColumn, priceColumns, type TokenPrice } from './token-price.js'

/** A price as it stands in a file, by the names of the columns of `token_prices`. An empty text is the same as none. */
export type PriceFields = Readonly<Record<string, unknown>>

/** What a text has to be that `toUsdText` takes. */
export const usdRule = 'US dollars from 0 to 1000000 such as 2.5, with at most 12 decimal places'
/** What a text has to be that `toIsoTime` takes. */
export const timeRule = 'a day or a time such as 2026-03-01 or 2026-03-01T08:00+01:00, in UTC if it names no zone'

const longest = { provider: 256, model_pattern: 256, service_tier: 64 } as const
// What `tokenledger prices list --json` shows besides.
const ignored = ['id']
const known: readonly string[] = [...Object.keys(longest), 'valid_from', 'valid_to', ...priceColumns, ...ignored]
const highestPicoUsd = 1_000_000n * 10n ** 12n
const tooManyPlaces = /\.\d{12}\d*[1-9]/
const isoTime = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:\.(\d{1,6}))?)?)(Z|[+-]\d{2}:\d{2})?)?$/
const isoDay = z.iso.date()

/** A price of one row of a file; or all that is wrong with it, each as a sentence. */
export function parsePrice(fields: PriceFields): { readonly price: TokenPrice } | { readonly problems: string[] } {
  const problems = Object.keys(fields).flatMap((name) =>
    known.includes(name) ? [] : [`it has no use for ${shown(name)}`],
  )
  const price = {
    provider: nameOf(fields, 'provider', problems),
    modelPattern: nameOf(fields, 'model_pattern', problems),
    serviceTier: isEmpty(fields.service_tier) ? '*' : nameOf(fields, 'service_tier', problems),
    validFrom: timeOf(fields, 'valid_from', problems) ?? '',
    validTo: isEmpty(fields.valid_to) ? null : (timeOf(fields, 'valid_to', problems) ?? null),
    usd: usdOf(fields, problems),
  }
  if (problems.length === 0) problems.push(...findContradictions(price))
  return problems.length === 0 ? { price } : { problems }
}

/** What is wrong with a price as a whole, each as a sentence. */
export function findContradictions({ validFrom, validTo, usd }: TokenPrice): string[] {
  return [
    ...(validTo !== null && validTo <= validFrom ? ['it has to end after it begins'] : []),
    ...(Object.keys(usd).length === 0 ? ['it names no price; what is free has a price of 0'] : []),
  ]
}

/** A decimal text without trailing zeros; undefined for what is against `usdRule`. */
export function toUsdText(value: unknown): string | undefined {
  const pico = toPicoUsd(typeof value === 'string' ? value.trim() : value)
  if (pico === null || pico > highestPicoUsd) return undefined
  const text = formatPicoUsd(pico)
  // A rounded price would be another one.
  const isExact = typeof value === 'number' ? Number(text) === value : !tooManyPlaces.test(String(value))
  return isExact ? text : undefined
}

/** ISO 8601 in UTC with microseconds; undefined for what is against `timeRule`. */
export function toIsoTime(value: unknown): string | undefined {
  const [, day = '', time = '00:00', fraction = '', zone = 'Z'] = isoTime.exec(String(value).trim()) ?? []
  if (!isoDay.safeParse(day).success) return undefined
  const date = new Date(`${day}T${time}${zone}`)
  const year = date.getUTCFullYear()
  return year >= 2000 && year < 2200 ? `${date.toISOString().slice(0, 19)}.${fraction.padEnd(6, '0')}Z` : undefined
}

/** A name of a provider, a model or a tier in the form that prices have; undefined where it cannot be one. */
export function toPriceName(value: unknown, column: keyof typeof longest): string | undefined {
  const name = typeof value === 'string' ? value.trim().toLowerCase() : ''
  return name === '' || name.length > longest[column] || /\p{C}/u.test(name) ? undefined : name
}

function nameOf(fields: PriceFields, column: keyof typeof longest, problems: string[]): string {
  const name = toPriceName(fields[column], column)
  if (name === undefined) {
    problems.push(
      isEmpty(fields[column]) ? `${column} is missing` : `${column} is ${shown(fields[column])}; it has to be a name`,
    )
  }
  return name ?? ''
}

function timeOf(fields: PriceFields, column: 'valid_from' | 'valid_to', problems: string[]): string | undefined {
  const value = fields[column]
  const time = toIsoTime(value)
  if (time === undefined)
    problems.push(isEmpty(value) ? `${column} is missing` : `${column} is ${shown(value)}; it has to be ${timeRule}`)
  return time
}

function usdOf(fields: PriceFields, problems: string[]): TokenPrice['usd'] {
  const usd: Partial<Record<PriceColumn, string>> = {}
  for (const column of priceColumns) {
    const value = fields[column]
    if (isEmpty(value)) continue
    const text = toUsdText(value)
    if (text === undefined) problems.push(`${column} is ${shown(value)}; it has to be ${usdRule}`)
    // No fee is the same as a fee of 0.
    else if (column !== 'per_request' || text !== '0') usd[column] = text
  }
  return usd
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '')
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
