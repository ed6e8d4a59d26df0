import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { countOf, isJsonObject, type JsonObject, joinTexts, jsonTextOf, listOf, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** LM Studio's own /api/v1/chat, which tells its counts in `stats`. */
export const lmStudio: WireFormat = {
  provider: 'lmstudio',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) =>
    path.endsWith('/api/v1/chat') && (body === null || ('input' in body && textOf(body.model) !== null)),
  matchesAnswer: (message) => isJsonObject(message) && (message.type === 'chat.end' || isResult(message)),
  reduce,
  outputTextOf,
}

function isResult(message: JsonObject): boolean {
  return Array.isArray(message.output) && isJsonObject(message.stats)
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const result = isJsonObject(message.result) ? message.result : message
  return {
    model: textOf(result.model_instance_id) ?? answer.model,
    responseId: textOf(result.response_id) ?? answer.responseId,
    usage: isJsonObject(result.stats) ? countTokens(result.stats) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

// An `error` event is followed by `chat.end`, which tells what was generated until then.
function progressOf(message: JsonObject): AnswerSoFar['progress'] {
  return message.type === 'chat.end' ? 'ended' : 'running'
}

function countTokens(stats: JsonObject): TokenUsage {
  return {
    ...unknownUsage,
    inputTokens: countOf(stats.input_tokens),
    outputTokens: countOf(stats.total_output_tokens),
    reasoningTokens: countOf(stats.reasoning_output_tokens),
    raw: copyRawUsage(stats),
  }
}

function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  if (isResult(message)) return listOf(message.output).map(textOfItem).join('')
  return (textOf(message.type) ?? '').endsWith('.delta') ? (textOf(message.content) ?? '') : ''
}

function textOfItem(item: unknown): string {
  return isJsonObject(item) ? joinTexts([item.content, item.tool, jsonTextOf(item.arguments)]) : ''
}
