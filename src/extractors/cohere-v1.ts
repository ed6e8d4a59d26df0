import { countCohereTokens } from './cohere-usage.js'
import { isJsonObject, type JsonObject, joinTexts, listOf, textOf } from './json-object.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** Cohere's chat and generate, version 1. The answer does not name its model. */
export const cohereV1: WireFormat = {
  provider: 'cohere',
  requestType: 'chat',
  streamFraming: 'ndjson',
  initial: nothingKnown,
  matchesRequest: ({ path, body }) =>
    /(?<!\/api)\/v1\/(chat|generate)$/.test(path) &&
    (body === null || typeof body.message === 'string' || typeof body.prompt === 'string'),
  matchesAnswer: (message) =>
    isJsonObject(message) &&
    ((typeof message.event_type === 'string' && typeof message.is_finished === 'boolean') ||
      Array.isArray(message.generations) ||
      (typeof message.generation_id === 'string' && isJsonObject(message.meta))),
  reduce,
  outputTextOf,
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  const response = isJsonObject(message.response) ? message.response : message
  return {
    ...answer,
    responseId: textOf(response.response_id) ?? textOf(response.id) ?? answer.responseId,
    usage: isJsonObject(response.meta) ? countCohereTokens(response.meta) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

function progressOf(message: JsonObject): AnswerSoFar['progress'] {
  if (message.event_type !== 'stream-end') return 'running'
  return message.finish_reason === 'ERROR' ? 'failed' : 'ended'
}

// The last event of a stream repeats the whole answer.
function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  const generated = listOf(message.generations).map((one) => (isJsonObject(one) ? one.text : ''))
  return joinTexts([message.text, ...generated])
}
