import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { countOf, isJsonObject, type JsonObject, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** `usage` of a chat completion, with the other places where servers of this format put a part. All of it is unchecked. */
type ChatUsage = {
  readonly prompt_tokens?: unknown
  readonly completion_tokens?: unknown
  readonly total_tokens?: unknown
  readonly prompt_tokens_details?: {
    readonly cached_tokens?: unknown
    readonly cache_write_tokens?: unknown
    readonly audio_tokens?: unknown
  } | null
  readonly completion_tokens_details?: { readonly reasoning_tokens?: unknown } | null
  /** Together. */
  readonly cached_tokens?: unknown
  /** DeepSeek. */
  readonly prompt_cache_hit_tokens?: unknown
  /** Mistral. */
  readonly num_cached_tokens?: unknown
}

/** OpenAI chat completions and the many servers that speak the same. A stream's `data: [DONE]` is the message `'[DONE]'`. */
export const openAiChat: WireFormat = {
  provider: 'openai',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path }) => path.endsWith('/chat/completions'),
  matchesAnswer: (message) => isJsonObject(message) && Array.isArray(message.choices),
  reduce,
  outputTextOf,
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (message === '[DONE]') return { ...answer, progress: laterProgress(answer.progress, 'ended') }
  if (!isJsonObject(message)) return answer
  return {
    model: textOf(message.model) ?? answer.model,
    responseId: textOf(message.id) ?? answer.responseId,
    usage: usageOf(message, answer.usage),
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

function progressOf(message: JsonObject): AnswerSoFar['progress'] {
  if (message.error !== undefined && message.error !== null) return 'failed'
  const choices = Array.isArray(message.choices) ? message.choices : []
  return choices.some((choice) => isJsonObject(choice) && textOf(choice.finish_reason)) ? 'finished' : 'running'
}

function usageOf(message: JsonObject, known: TokenUsage): TokenUsage {
  const usage = findUsage(message)
  const tier = textOf(message.service_tier) ?? known.raw?.service_tier
  if (usage) return { ...countTokens(usage), raw: copyRawUsage({ service_tier: tier, ...usage }) }
  return tier === known.raw?.service_tier
    ? known
    : { ...known, raw: copyRawUsage({ ...known.raw, service_tier: tier }) }
}

// Which chunk carries the usage differs from server to server, so any chunk may; Groq has a second place for it.
function findUsage(message: JsonObject): ChatUsage | undefined {
  if (isJsonObject(message.usage)) return message.usage
  const groq = message.x_groq
  return isJsonObject(groq) && isJsonObject(groq.usage) ? groq.usage : undefined
}

function countTokens(usage: ChatUsage): TokenUsage {
  const input = countOf(usage.prompt_tokens)
  const output = countOf(usage.completion_tokens)
  const prompt = usage.prompt_tokens_details
  const beyond = tokensBeyond(usage, input, output)
  const isAudio = beyond === countOf(prompt?.audio_tokens)
  return {
    ...unknownUsage,
    inputTokens: input !== null && isAudio ? input + beyond : input,
    outputTokens: output !== null && !isAudio ? output + beyond : output,
    cacheReadTokens:
      countOf(prompt?.cached_tokens) ??
      countOf(usage.cached_tokens) ??
      countOf(usage.prompt_cache_hit_tokens) ??
      countOf(usage.num_cached_tokens),
    cacheWriteTokens: countOf(prompt?.cache_write_tokens),
    reasoningTokens: countOf(usage.completion_tokens_details?.reasoning_tokens),
  }
}

// xAI leaves reasoning out of completion_tokens and Gemini its thoughts; Mistral leaves audio out of prompt_tokens. The
// provider's own total holds them.
function tokensBeyond(usage: ChatUsage, input: number | null, output: number | null): number {
  const total = countOf(usage.total_tokens)
  return total === null || input === null || output === null ? 0 : Math.max(0, total - input - output)
}

function outputTextOf(message: unknown): string {
  const choices = isJsonObject(message) && Array.isArray(message.choices) ? message.choices : []
  return choices.map(textOfChoice).join('')
}

// Servers name the reasoning in one of two ways; some send both with the same text.
function textOfChoice(choice: unknown): string {
  if (!isJsonObject(choice)) return ''
  const said = isJsonObject(choice.delta) ? choice.delta : isJsonObject(choice.message) ? choice.message : choice
  const calls = Array.isArray(said.tool_calls) ? said.tool_calls : []
  const texts = [said.reasoning_content ?? said.reasoning, said.content, said.refusal, said.text]
  return [...texts, ...calls.flatMap(textsOfCall)].map((text) => textOf(text) ?? '').join('')
}

function textsOfCall(call: unknown): unknown[] {
  const called = isJsonObject(call) ? call.function : undefined
  return isJsonObject(called) ? [called.name, called.arguments] : []
}
