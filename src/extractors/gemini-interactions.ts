import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { noteContradictions } from './contradictions.js'
import {
  countOf,
  isJsonObject,
  type JsonObject,
  joinTexts,
  jsonTextOf,
  listOf,
  sumOfCounts,
  textOf,
} from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** `usage` of an interaction. All of it is unchecked. */
type InteractionUsage = {
  readonly total_input_tokens?: unknown
  readonly total_cached_tokens?: unknown
  readonly total_tool_use_tokens?: unknown
  readonly total_output_tokens?: unknown
  readonly total_thought_tokens?: unknown
  readonly total_tokens?: unknown
}

/** Gemini Interactions. */
export const geminiInteractions: WireFormat = {
  provider: 'gemini',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) =>
    path.endsWith('/interactions') &&
    (body === null || ('input' in body && (textOf(body.model) ?? textOf(body.agent)) !== null)),
  matchesAnswer: (message) =>
    isJsonObject(message) &&
    (message.object === 'interaction' || /^interaction\./.test(textOf(message.event_type) ?? '')),
  reduce,
  outputTextOf,
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const interaction = isJsonObject(message.interaction) ? message.interaction : message
  return {
    model: textOf(interaction.model) ?? textOf(interaction.agent) ?? answer.model,
    responseId: (interaction.object === 'interaction' ? textOf(interaction.id) : null) ?? answer.responseId,
    usage: isJsonObject(interaction.usage) ? countTokens(interaction.usage, interaction) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message, interaction)),
  }
}

function progressOf(message: JsonObject, { status }: JsonObject): AnswerSoFar['progress'] {
  if (status === 'failed' || (message.error !== undefined && message.error !== null)) return 'failed'
  return message.event_type === 'interaction.completed' || message.event_type === 'interaction.complete'
    ? 'ended'
    : 'running'
}

function countTokens(usage: InteractionUsage, { service_tier }: JsonObject): TokenUsage {
  const counts = {
    ...unknownUsage,
    inputTokens: sumOfCounts([usage.total_input_tokens, usage.total_tool_use_tokens ?? 0]),
    outputTokens: sumOfCounts([usage.total_output_tokens, usage.total_thought_tokens ?? 0]),
    cacheReadTokens: countOf(usage.total_cached_tokens),
    reasoningTokens: countOf(usage.total_thought_tokens),
    raw: copyRawUsage({ service_tier, ...usage }),
  }
  return noteContradictions(counts, usage.total_tokens)
}

function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  const steps = message.object === 'interaction' ? [...listOf(message.steps), ...listOf(message.outputs)] : []
  return [message.delta, message.step, ...steps].map(textOfStep).join('')
}

function textOfStep(step: unknown): string {
  if (!isJsonObject(step)) return ''
  const content = listOf(step.content).map((part) => (isJsonObject(part) ? part.text : ''))
  const given = isJsonObject(step.arguments) && Object.keys(step.arguments).length > 0
  return joinTexts([step.text, ...content, step.name, given ? jsonTextOf(step.arguments) : step.arguments])
}
