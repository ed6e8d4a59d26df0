import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { countChatTokens } from './chat-usage.js'
import { noteContradictions } from './contradictions.js'
import { countOf, isJsonObject, type JsonObject, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

const lastEvent = /^transcript(\.text|ion)\.done$/

/**
 * Transcription and translation of speech by OpenAI, Mistral, Groq and others. Models sold by the minute tell their
 * seconds, in `raw`, and no tokens; answers in text, srt or vtt tell nothing.
 */
export const transcriptions: WireFormat = {
  provider: 'openai',
  requestType: 'transcription',
  streamFraming: 'sse',
  mayAnswerInText: true,
  initial: nothingKnown,
  matchesRequest: ({ path }) => /\/audio\/(transcriptions|translations)$/.test(path),
  matchesAnswer: (message) =>
    isJsonObject(message) &&
    (/^transcript(ion)?\./.test(textOf(message.type) ?? '') ||
      (typeof message.text === 'string' && isJsonObject(message.usage))),
  reduce,
  outputTextOf,
}

function reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar {
  if (!isJsonObject(message)) return answer
  return {
    ...answer,
    model: textOf(message.model) ?? answer.model,
    usage: isJsonObject(message.usage) ? countTokens(message.usage) : answer.usage,
    progress: laterProgress(answer.progress, progressOf(message)),
  }
}

function progressOf(message: JsonObject): AnswerSoFar['progress'] {
  if (message.error !== undefined && message.error !== null) return 'failed'
  return lastEvent.test(textOf(message.type) ?? '') ? 'ended' : 'running'
}

// Mistral counts as in chat.
function countTokens(usage: JsonObject): TokenUsage {
  if ('prompt_tokens' in usage) return countChatTokens(usage)
  const counts = {
    ...unknownUsage,
    inputTokens: countOf(usage.input_tokens),
    outputTokens: countOf(usage.output_tokens),
    raw: copyRawUsage(usage),
  }
  return noteContradictions(counts, usage.total_tokens)
}

function outputTextOf(message: unknown): string {
  if (!isJsonObject(message)) return ''
  if (message.type === undefined) return textOf(message.text) ?? ''
  return (textOf(message.type) ?? '').endsWith('.delta') ? (textOf(message.delta) ?? textOf(message.text) ?? '') : ''
}
