import type { TokenUsage } from '../usage/token-usage.js'
import { type ChatUsage, countChatTokens } from './chat-usage.js'
import { isJsonObject, type JsonObject, joinTexts, listOf, textOf } from './json-object.js'
import { copyRawUsage } from './raw-usage.js'
import { type AnswerSoFar, laterProgress, nothingKnown, type WireFormat } from './wire-format.js'

/** Where Writer, Databricks, Snowflake and Vertex take the same requests. */
const otherPaths = [
  /(?<!\/api)\/v1\/chat$/,
  /\/serving-endpoints\/[^/]+\/invocations$/,
  /\/cortex\/inference:complete$/,
  /\/publishers\/mistralai\/models\/[^/]+:(r|streamR)awPredict$/,
]

/** OpenAI chat completions and the many servers that speak the same. A stream's `data: [DONE]` is the message `'[DONE]'`. */
export const openAiChat: WireFormat = {
  provider: 'openai',
  requestType: 'chat',
  streamFraming: 'sse',
  initial: nothingKnown,
  tellsUsageWhenAsked: true,
  matchesRequest: ({ path, body }) =>
    path.endsWith('/chat/completions') ||
    (otherPaths.some((pattern) => pattern.test(path)) &&
      (body === null || (Array.isArray(body.messages) && textOf(body.model) !== null))),
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
  return listOf(message.choices).some((choice) => isJsonObject(choice) && textOf(choice.finish_reason))
    ? 'finished'
    : 'running'
}

function usageOf(message: JsonObject, known: TokenUsage): TokenUsage {
  const usage = findUsage(message)
  const tier = textOf(message.service_tier) ?? known.raw?.service_tier
  if (usage) return countChatTokens({ service_tier: tier, ...usage })
  return tier === known.raw?.service_tier
    ? known
    : { ...known, raw: { ...known.raw, ...copyRawUsage({ service_tier: tier }) } }
}

// Which chunk carries the usage differs from server to server, so any chunk may; Groq has a second place for it.
function findUsage(message: JsonObject): ChatUsage | undefined {
  if (isJsonObject(message.usage)) return message.usage
  const groq = message.x_groq
  return isJsonObject(groq) && isJsonObject(groq.usage) ? groq.usage : undefined
}

function outputTextOf(message: unknown): string {
  return isJsonObject(message) ? listOf(message.choices).map(textOfChoice).join('') : ''
}

// Servers name the reasoning in one of two ways; some send both with the same text.
function textOfChoice(choice: unknown): string {
  if (!isJsonObject(choice)) return ''
  const said = isJsonObject(choice.delta) ? choice.delta : isJsonObject(choice.message) ? choice.message : choice
  const texts = [said.reasoning_content ?? said.reasoning, said.content, said.refusal, said.text]
  return joinTexts([...texts, ...listOf(said.tool_calls).flatMap(textsOfCall)])
}

function textsOfCall(call: unknown): unknown[] {
  const called = isJsonObject(call) ? call.function : undefined
  return isJsonObject(called) ? [called.name, called.arguments] : []
}
