import { toPicoUsd } from '../usage/pico-usd.js'
import type { Price } from './price.js'

/** The columns of `token_prices` that hold US dollars: for a million tokens of a kind, or for one of what they name. */
export const priceColumns = [
  'input_per_million',
  'cache_read_per_million',
  'cache_write_5m_per_million',
  'cache_write_1h_per_million',
  'input_audio_per_million',
  'input_image_per_million',
  'output_per_million',
  'reasoning_per_million',
  'output_audio_per_million',
  'output_image_per_million',
  'per_request',
  'per_image',
  'per_web_search',
  'per_audio_hour',
] as const
export type PriceColumn = (typeof priceColumns)[number]

/** One price of the user's own, a row of `token_prices`. */
export type TokenPrice = {
  /** As rows name it, in lower case; `*` for any, and for rows that name none. */
  readonly provider: string
  /** In lower case; `*` stands for any characters. */
  readonly modelPattern: string
  /** In lower case: `batch`, `flex`, ..., or `standard`; `*` for every tier that has no price of its own. */
  readonly serviceTier: string
  /** ISO 8601 in UTC. */
  readonly validFrom: string
  /** The first moment it no longer holds for, likewise; null while it has no end. */
  readonly validTo: string | null
  /** US dollars as decimal strings without trailing zeros. What is left out is not known, which is not free. */
  readonly usd: Readonly<Partial<Record<PriceColumn, string>>>
}

/** What makes two prices exclude each other at one time. */
export function keyOf({ provider, modelPattern, serviceTier }: TokenPrice): string {
  return JSON.stringify([provider, modelPattern, serviceTier])
}

/** `2026-03-01`, or with its time where it is not the midnight that a day begins with. */
export function describeTime(iso: string): string {
  return iso
    .replace(/(\.\d*?)0+Z$/, '$1Z')
    .replace('.Z', 'Z')
    .replace('T00:00:00Z', '')
}

/** The price in the form that calls are priced with. */
export function toPrice({ usd }: TokenPrice): Price {
  const of = (column: PriceColumn) => toPicoUsd(usd[column])
  return {
    rates: {
      input: of('input_per_million'),
      cacheRead: of('cache_read_per_million'),
      cacheWrite5m: of('cache_write_5m_per_million'),
      cacheWrite1h: of('cache_write_1h_per_million'),
      inputAudio: of('input_audio_per_million'),
      inputImage: of('input_image_per_million'),
      output: of('output_per_million'),
      reasoning: of('reasoning_per_million'),
      outputAudio: of('output_audio_per_million'),
      outputImage: of('output_image_per_million'),
    },
    contextTiers: [],
    fees: {
      request: of('per_request') ?? 0n,
      image: of('per_image'),
      webSearch: of('per_web_search'),
      audioHour: of('per_audio_hour'),
    },
  }
}
