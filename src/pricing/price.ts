/**
 * Trillionths of a US dollar for a million tokens, as `toPicoUsd` reads them from a price: `3_000_000_000_000n` is $3.
 * Exact for a price of at most 12 decimal places.
 */
export type PicoUsdPerMillion = bigint

/**
 * What a million tokens of each kind cost. A kind whose rate is null is charged as the kind that its comment names. Where
 * that has no rate either, a call with such tokens has no price: a rate of 0 says free, null says unknown.
 */
export type TokenRates = {
  readonly input: PicoUsdPerMillion | null
  /** Else as `input`. */
  readonly cacheRead: PicoUsdPerMillion | null
  /** Written to the cache for five minutes, or for a time that nobody tells. Else as `input`. */
  readonly cacheWrite5m: PicoUsdPerMillion | null
  /** Written to the cache for an hour. Else as `cacheWrite5m`. */
  readonly cacheWrite1h: PicoUsdPerMillion | null
  /** Else as `input`. */
  readonly inputAudio: PicoUsdPerMillion | null
  /** Else as `input`. */
  readonly inputImage: PicoUsdPerMillion | null
  /** Else as `input`. */
  readonly inputVideo?: PicoUsdPerMillion | null
  /** Audio that was read from the cache. Else as `cacheRead`. */
  readonly cacheReadAudio?: PicoUsdPerMillion | null
  /** Else as `cacheRead`. */
  readonly cacheReadImage?: PicoUsdPerMillion | null
  readonly output: PicoUsdPerMillion | null
  /** Else as `output`. */
  readonly reasoning: PicoUsdPerMillion | null
  /** Else as `output`. */
  readonly outputAudio: PicoUsdPerMillion | null
  /** Else as `output`. */
  readonly outputImage: PicoUsdPerMillion | null
  /** Else as `output`. */
  readonly outputVideo?: PicoUsdPerMillion | null
}

/** A kind of tokens that may have a rate of its own. */
export type TokenKind = keyof TokenRates

/** Rates for all tokens of a call that reads more than `aboveInputTokens`, instead of the price's own. */
export type ContextTier = {
  readonly aboveInputTokens: number
  readonly rates: TokenRates
}

/** What is charged besides tokens, in trillionths of a US dollar for one. Null where it is not known. */
export type Fees = {
  /** For each call; 0 where there is none. */
  readonly request: bigint
  /** For each image that was made, where the provider does not count its tokens. */
  readonly image: bigint | null
  /** For each web search that the provider made. */
  readonly webSearch: bigint | null
  /** For an hour of audio, instead of its tokens. */
  readonly audioHour: bigint | null
}

/** What a model costs at one time, in one service tier. */
export type Price = {
  readonly rates: TokenRates
  /** In ascending order. */
  readonly contextTiers: readonly ContextTier[]
  readonly fees: Fees
  /** Kinds with a rate of their own that is not known: a call with such tokens has no price, whatever `rates` says. */
  readonly unpriced?: readonly TokenKind[]
}

/** Rates of which none is known: what a price is made from, with `{ ...noRates, input: ... }`. */
export const noRates: TokenRates = Object.freeze({
  input: null,
  cacheRead: null,
  cacheWrite5m: null,
  cacheWrite1h: null,
  inputAudio: null,
  inputImage: null,
  output: null,
  reasoning: null,
  outputAudio: null,
  outputImage: null,
})

/** No fee for a call, and nothing known of the others. */
export const noFees: Fees = Object.freeze({ request: 0n, image: null, webSearch: null, audioHour: null })
