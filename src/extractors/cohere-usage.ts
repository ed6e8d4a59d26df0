import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { noteContradictions } from './contradictions.js'
import { countOf, isJsonObject, type JsonObject, sumOfCounts } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'

/**
 * Counts of Cohere's `usage` or `meta`: `tokens` holds what the model read and wrote, `billed_units` the smaller part
 * that is charged and counts only where the other is missing. Both are in `raw`. Image tokens are beside the others.
 */
export function countCohereTokens(usage: JsonObject): TokenUsage {
  const counted = [usage.tokens, usage.billed_units].filter(isJsonObject)[0] ?? {}
  const counts = {
    ...unknownUsage,
    inputTokens: sumOfCounts([counted.input_tokens, counted.image_tokens ?? 0]),
    outputTokens: countOf(counted.output_tokens),
    cacheReadTokens: countOf(usage.cached_tokens),
    reasoningTokens: countOf(counted.reasoning_tokens),
    raw: copyRawUsage(usage),
  }
  return noteContradictions(counts, undefined)
}
