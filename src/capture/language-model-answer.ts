import { anthropicMessages } from '../extractors/anthropic-messages.js'
import { noteContradictions } from '../extractors/contradictions.js'
import { countOf, isJsonObject, type JsonObject, joinTexts, textOf } from '../extractors/json-object.js'
import { copyRawUsage } from '../extractors/raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown } from '../extractors/wire-format.js'
import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import type { AnswerFormat } from './call-observer.js'

/**
 * What the AI SDK's language models answer, in version 2, 3 or 4 of its specification: a result, or the parts of a stream,
 * of which an error is none.
 */
export const languageModelAnswer: AnswerFormat = {
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  reduce,
  outputTextOf,
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const response = isJsonObject(message.response) ? message.response : message
  const isResponse = response !== message || message.type === 'response-metadata'
  return {
    model: (isResponse ? textOf(response.modelId) : null) ?? answer.model,
    responseId: (isResponse ? textOf(response.id) : null) ?? answer.responseId,
    usage: isJsonObject(message.usage) ? countTokens(message.usage, message.providerMetadata) : answer.usage,
    progress: laterProgress(answer.progress, message.type === 'finish' ? 'ended' : 'running'),
  }
}

function countTokens(usage: JsonObject, metadata: unknown): TokenUsage {
  const { inputTokens, outputTokens, raw } = usage
  if (!isJsonObject(inputTokens) || !isJsonObject(outputTokens)) return countFlatTokens(usage, metadata)
  const counts = {
    inputTokens: countOf(inputTokens.total),
    outputTokens: countOf(outputTokens.total),
    cacheReadTokens: countOf(inputTokens.cacheRead),
    cacheWriteTokens: countOf(inputTokens.cacheWrite),
    reasoningTokens: countOf(outputTokens.reasoning),
    raw: copyRawUsage(raw),
  }
  return noteContradictions(counts, undefined)
}

// Version 2 takes over what each provider says: Anthropic leaves out what was read from or written to the cache, Gemini
// its thoughts and what tools fed to the model, which only the total holds.
function countFlatTokens(usage: JsonObject, metadata: unknown): TokenUsage {
  const anthropic = isJsonObject(metadata) && isJsonObject(metadata.anthropic) ? metadata.anthropic.usage : undefined
  if (isJsonObject(anthropic))
    return anthropicMessages.reduce(nothingKnown, { type: 'message', usage: anthropic }).usage
  const input = countOf(usage.inputTokens)
  const output = countOf(usage.outputTokens)
  const reasoning = countOf(usage.reasoningTokens)
  const beyond = Math.max(0, (countOf(usage.totalTokens) ?? 0) - (input ?? 0) - (output ?? 0))
  const thoughts = beyond >= (reasoning ?? 0) ? (reasoning ?? 0) : 0
  const counts = {
    ...unknownUsage,
    inputTokens: input === null ? null : input + beyond - thoughts,
    outputTokens: output === null ? null : output + thoughts,
    cacheReadTokens: countOf(usage.cachedInputTokens),
    reasoningTokens: reasoning,
    raw: copyRawUsage(usage),
  }
  return noteContradictions(counts, usage.totalTokens)
}

function outputTextOf(part: unknown): string {
  if (!isJsonObject(part)) return ''
  const isTool = part.type === 'tool-input-start'
  const isDelta = ['text-delta', 'reasoning-delta', 'tool-input-delta'].includes(String(part.type))
  return joinTexts([isTool ? part.toolName : undefined, isDelta ? part.delta : undefined])
}
