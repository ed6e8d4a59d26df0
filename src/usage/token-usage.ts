/**
 * Token counts of one model call. Totals are inclusive: `inputTokens` contains cache reads and writes,
 * `outputTokens` contains reasoning. `null` means that the provider did not say, which is not zero.
 */
export type TokenUsage = {
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  /** Part of `inputTokens`. */
  readonly cacheReadTokens: number | null
  /** Part of `inputTokens`. */
  readonly cacheWriteTokens: number | null
  /** Part of `outputTokens`. */
  readonly reasoningTokens: number | null
  /** The provider's own numbers, and what changes the price (tier, cache split, batch). Never content. */
  readonly raw: Readonly<Record<string, unknown>> | null
}

/** Usage of a call of which nothing is known. */
export const unknownUsage: TokenUsage = Object.freeze({
  inputTokens: null,
  outputTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  reasoningTokens: null,
  raw: null,
})
