/** What `formatUsage` writes down: what `usage.current()` gives, the usage of an answer, or the like. */
export type FormattedUsage = {
  /** Null where the count is not known. */
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  /** US dollars; null or left out where there is no price. */
  readonly costUsd?: number | string | null | undefined
}

const count = new Intl.NumberFormat('en-US')
const cents = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 2 })

/**
 * A line for people: `Input: 1,500 tokens, Output: 3,500 tokens, Total: 5,000 tokens, Cost: $0.003 (~0.3¢)`. What is not
 * known is said to be `unknown`, and a cost that is not known `unpriced`. Cents are left out from a dollar on.
 */
export function formatUsage({ inputTokens, outputTokens, costUsd }: FormattedUsage): string {
  const total = inputTokens === null || outputTokens === null ? null : inputTokens + outputTokens
  return [
    `Input: ${formatTokens(inputTokens)}`,
    `Output: ${formatTokens(outputTokens)}`,
    `Total: ${formatTokens(total)}`,
    `Cost: ${formatCost(costUsd)}`,
  ].join(', ')
}

function formatTokens(tokens: number | null): string {
  return tokens === null ? 'unknown' : `${count.format(tokens)} ${tokens === 1 ? 'token' : 'tokens'}`
}

function formatCost(costUsd: FormattedUsage['costUsd']): string {
  const usd = costUsd === null || costUsd === undefined || costUsd === '' ? Number.NaN : Number(costUsd)
  if (!Number.isFinite(usd)) return 'unpriced'
  const size = Math.abs(usd)
  return size === 0 || size >= 1 ? formatUsd(usd) : `${formatUsd(usd)} (~${cents.format(usd * 100)}¢)`
}

// Two decimal places, and more where they are needed to show four digits.
function formatUsd(usd: number): string {
  const size = Math.abs(usd)
  const places = size === 0 || size >= 1 ? 2 : Math.min(20, 3 - Math.floor(Math.log10(size)))
  const style = { style: 'currency', currency: 'USD', minimumFractionDigits: 2, maximumFractionDigits: places } as const
  return usd.toLocaleString('en-US', style)
}
