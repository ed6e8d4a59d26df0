import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { noteContradictions } from './contradictions.js'
import { countOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'

type InputDetails = {
  readonly cached_tokens?: unknown
  readonly cache_write_tokens?: unknown
  readonly audio_tokens?: unknown
} | null
type OutputDetails = { readonly reasoning_tokens?: unknown } | null

/** `usage` of a chat completion, with the other places where servers of this format put a part. All of it is unchecked. */
export type ChatUsage = {
  readonly prompt_tokens?: unknown
  readonly completion_tokens?: unknown
  readonly total_tokens?: unknown
  readonly prompt_tokens_details?: InputDetails
  readonly completion_tokens_details?: OutputDetails
  /** Assistants and Writer. */
  readonly prompt_token_details?: InputDetails
  /** Writer. */
  readonly completion_token_details?: OutputDetails
  /** Together. */
  readonly cached_tokens?: unknown
  /** DeepSeek. */
  readonly prompt_cache_hit_tokens?: unknown
  /** Mistral. */
  readonly num_cached_tokens?: unknown
  /** Not of the usage itself: the top level of the answer has it. */
  readonly service_tier?: unknown
}

/** The counts of a chat completion, in the many places where the servers of this format put them. */
export function countChatTokens(usage: ChatUsage): TokenUsage {
  const input = countOf(usage.prompt_tokens)
  const output = countOf(usage.completion_tokens)
  const prompt = usage.prompt_tokens_details ?? usage.prompt_token_details
  const completion = usage.completion_tokens_details ?? usage.completion_token_details
  const beyond = tokensBeyond(usage, input, output)
  const isAudio = beyond === countOf(prompt?.audio_tokens)
  const counts = {
    ...unknownUsage,
    inputTokens: input !== null && isAudio ? input + beyond : input,
    outputTokens: output !== null && !isAudio ? output + beyond : output,
    cacheReadTokens:
      countOf(prompt?.cached_tokens) ??
      countOf(usage.cached_tokens) ??
      countOf(usage.prompt_cache_hit_tokens) ??
      countOf(usage.num_cached_tokens),
    cacheWriteTokens: countOf(prompt?.cache_write_tokens),
    reasoningTokens: countOf(completion?.reasoning_tokens),
    raw: copyRawUsage(usage),
  }
  return noteContradictions(counts, usage.total_tokens)
}

// xAI leaves reasoning out of completion_tokens and Gemini its thoughts; Mistral leaves audio out of prompt_tokens. The
// provider's own total holds them.
function tokensBeyond(usage: ChatUsage, input: number | null, output: number | null): number {
  const total = countOf(usage.total_tokens)
  return total === null || input === null || output === null ? 0 : Math.max(0, total - input - output)
}
