import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { noteContradictions } from './contradictions.js'
import { countOf, sumOfCounts } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'

/** `usageMetadata`. A count of 0 is left out. All of it is unchecked. */
export type UsageMetadata = {
  readonly promptTokenCount?: unknown
  readonly candidatesTokenCount?: unknown
  readonly thoughtsTokenCount?: unknown
  readonly toolUsePromptTokenCount?: unknown
  readonly cachedContentTokenCount?: unknown
  readonly totalTokenCount?: unknown
}

/** Counts of Gemini: what tools fed to the model is beside the prompt, and thoughts are beside the candidates. */
export function countGeminiTokens(usage: UsageMetadata): TokenUsage {
  const { promptTokenCount, toolUsePromptTokenCount, thoughtsTokenCount, totalTokenCount } = usage
  const input = sumOfCounts([promptTokenCount, toolUsePromptTokenCount ?? 0])
  const counts = {
    ...unknownUsage,
    inputTokens: input,
    outputTokens: countOutput(usage, input),
    cacheReadTokens: countOf(usage.cachedContentTokenCount),
    reasoningTokens: countOf(thoughtsTokenCount),
    raw: copyRawUsage(usage),
  }
  return noteContradictions(counts, totalTokenCount)
}

// Where nothing was generated both counts are left out; only the total shows that this is no missing count.
function countOutput(usage: UsageMetadata, input: number | null): number | null {
  const { candidatesTokenCount: candidates, thoughtsTokenCount: thoughts } = usage
  if (candidates !== undefined || thoughts !== undefined) return sumOfCounts([candidates ?? 0, thoughts ?? 0])
  return input !== null && countOf(usage.totalTokenCount) === input ? 0 : null
}
