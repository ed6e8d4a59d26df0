import type { Price } from './price.js'

/** Which price is asked for. */
export type PricedModel = {
  /** As rows name it: `openai`, `anthropic`, `gemini`, `bedrock`; null where nobody knows. */
  readonly provider: string | null
  /** The model that answered. */
  readonly model: string
  /** In lower case: `batch`, `flex`, `priority`, or another that the provider named. Null for the standard one. */
  readonly serviceTier: string | null
  /** Where the call was answered, if that changes the price: `us` for Anthropic. Null elsewhere. */
  readonly region?: string | null
}

/** The prices of one model in one service tier at all times, with nothing left to look up. */
export interface PriceSchedule {
  /** The price of a call made then, in milliseconds since 1970; undefined where there is none for that time. */
  priceAt(timestampMs: number): Price | undefined
}

/**
 * Where prices come from: the user's table (`override`) or the list that comes along (`list`). A source never changes, so
 * that what it found may be kept; newer prices are another source.
 */
export interface PriceSource {
  readonly costSource: 'override' | 'list'
  /** Slow, and asked once for each model and tier; undefined where the source has no price at any time. Never throws. */
  findPrices(model: PricedModel): PriceSchedule | undefined
}
