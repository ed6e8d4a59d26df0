import { countChatTokens } from './chat-usage.js'
import { isJsonObject, type JsonObject, joinTexts, listOf, textOf } from './json-object.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

const pathPattern = /\/threads\/([^/]+\/)?runs$|\/runs\/[^/]+\/submit_tool_outputs$/

/** Runs of OpenAI Assistants. A run that is not streamed is answered before it has begun, and its usage is unknown. */
export const openAiRuns: WireFormat = {
  provider: 'openai',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  matchesRequest: ({ path }) => pathPattern.test(path),
  matchesAnswer: (message) =>
    isJsonObject(message) && typeof message.object === 'string' && /^thread\.(run|message)\b/.test(message.object),
  reduce,
  outputTextOf,
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (message === '[DONE]') return { ...answer, progress: laterProgress(answer.progress, 'ended') }
  if (!isJsonObject(message)) return answer
  if (message.error !== undefined && message.error !== null) return { ...answer, progress: 'failed' }
  // The steps of a run have counts of their own, which those of the run hold.
  if (message.object !== 'thread.run') return answer
  return {
    model: textOf(message.model) ?? answer.model,
    responseId: textOf(message.id) ?? answer.responseId,
    usage: isJsonObject(message.usage) ? countChatTokens(message.usage) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

function progressOf({ status }: JsonObject): AnswerSoFar['progress'] {
  if (status === 'failed' || status === 'expired') return 'failed'
  return status === 'completed' || status === 'incomplete' || status === 'requires_action' ? 'finished' : 'running'
}

function outputTextOf(message: unknown): string {
  if (!isJsonObject(message) || message.object !== 'thread.message.delta' || !isJsonObject(message.delta)) return ''
  return joinTexts(listOf(message.delta.content).map(textOfPart))
}

function textOfPart(part: unknown): unknown {
  return isJsonObject(part) && isJsonObject(part.text) ? part.text.value : ''
}
