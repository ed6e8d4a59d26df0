import { countCohereTokens } from './cohere-usage.js'
import { isJsonObject, type JsonObject, joinTexts, listOf, textOf } from './json-object.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

const eventPattern = /^(message|content|tool-plan|tool-call|citation)-(start|delta|end)$/

/** Cohere's chat, version 2. The answer does not name its model. */
export const cohereChat: WireFormat = {
  provider: 'cohere',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) =>
    path.endsWith('/v2/chat') && (body === null || (Array.isArray(body.messages) && textOf(body.model) !== null)),
  matchesAnswer: (message) =>
    isJsonObject(message) &&
    (eventPattern.test(textOf(message.type) ?? '') ||
      (isJsonObject(message.message) && typeof message.finish_reason === 'string')),
  reduce,
  outputTextOf,
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const last = isJsonObject(message.delta) ? message.delta : message
  return {
    ...answer,
    responseId: textOf(message.id) ?? answer.responseId,
    usage: isJsonObject(last.usage) ? countCohereTokens(last.usage) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message, last)),
  }
}

function progressOf(message: JsonObject, last: JsonObject): AnswerSoFar['progress'] {
  if (last.finish_reason === 'ERROR' || textOf(last.error) !== null) return 'failed'
  return message.type === 'message-end' ? 'ended' : 'running'
}

function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  const holder = isJsonObject(message.delta) ? message.delta : message
  if (!isJsonObject(holder.message)) return ''
  const { content, tool_calls, tool_plan } = holder.message
  const texts = listIn(content).flatMap((part) => (isJsonObject(part) ? [part.thinking, part.text] : []))
  return joinTexts([tool_plan, ...texts, ...listIn(tool_calls).flatMap(textsOfCall)])
}

// A whole answer has lists where a stream's events have one part.
function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? listOf(value) : [value]
}

function textsOfCall(call: unknown): unknown[] {
  const called = isJsonObject(call) ? call.function : undefined
  return isJsonObject(called) ? [called.name, called.arguments] : []
}
