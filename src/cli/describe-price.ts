import { describeTime, type PriceColumn, priceColumns, type TokenPrice } from '../pricing/token-price.js'
import { printable } from './printable.js'

/** What a price is called on the command line: `cache-read`, `web-search`. */
export function shortName(column: PriceColumn): string {
  return column.replace(/^per_|_per_million$/g, '').replaceAll('_', '-')
}

/** `input 2.5, output 10`: dollars for a million tokens, or for one of what is named. */
export function describeAmounts({ usd }: TokenPrice): string {
  return priceColumns
    .flatMap((column) => (usd[column] === undefined ? [] : `${shortName(column)} ${usd[column]}`))
    .join(', ')
}

/** `openai gpt-4o*, batch tier, from 2026-03-01: input 1.25, output 5`. */
export function describePrice(price: TokenPrice): string {
  const { provider, modelPattern, serviceTier, validFrom, validTo } = price
  const tier = serviceTier === '*' ? '' : `, ${serviceTier} tier`
  const end = validTo === null ? '' : ` to ${describeTime(validTo)}`
  return printable(
    `${provider} ${modelPattern}${tier}, from ${describeTime(validFrom)}${end}: ${describeAmounts(price)}`,
  )
}

/** A price by the names of the columns of `token_prices`, as a file of prices has it. */
export function toPriceRow({ provider, modelPattern, serviceTier, validFrom, validTo, usd }: TokenPrice): object {
  const times = { valid_from: validFrom, valid_to: validTo }
  return { provider, model_pattern: modelPattern, service_tier: serviceTier, ...times, ...usd }
}
