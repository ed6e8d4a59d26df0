import type { TokenUsage } from '../usage/token-usage.js'
import { countOf, isJsonObject } from './json-object.js'

/**
 * Notes in `raw.inconsistent` which of a provider's counts cannot be: `total` is not input and output, more of the
 * input was `cache` or more of the output was `reasoning` than there is, a count is `negative`, or what a format found
 * itself. The counts stay as they were told.
 */
export function noteContradictions(usage: TokenUsage, totalTokens: unknown, found: readonly string[] = []): TokenUsage {
  const { inputTokens, outputTokens, reasoningTokens, raw } = usage
  const cacheTokens = (usage.cacheReadTokens ?? 0) + (usage.cacheWriteTokens ?? 0)
  const total = countOf(totalTokens)
  const all = [...found]
  if (inputTokens !== null && outputTokens !== null && total !== null && total !== inputTokens + outputTokens)
    all.push('total')
  if (inputTokens !== null && cacheTokens > inputTokens) all.push('cache')
  if (outputTokens !== null && (reasoningTokens ?? 0) > outputTokens) all.push('reasoning')
  if (holdsNegativeCount(raw)) all.push('negative')
  return all.length === 0 ? usage : { ...usage, raw: { ...raw, inconsistent: all } }
}

function holdsNegativeCount(value: unknown): boolean {
  if (!isJsonObject(value)) return false
  return Object.entries(value).some(
    ([name, part]) => (typeof part === 'number' && part < 0 && /token/i.test(name)) || holdsNegativeCount(part),
  )
}
