import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { findBatchedAnswer } from './batched-answer.js'
import { findFormatOfAnswer } from './registry.js'

/**
 * Token counts of a provider's answer: the answer object, an array of all events or chunks of a streamed one, in
 * order, or one line of a batch's results, whose `raw` then says `batch: true`. Never throws: what is not recognised
 * is `unknownUsage`.
 */
export function extractUsage(answer: unknown): TokenUsage {
  try {
    const batched = findBatchedAnswer(answer)
    if (batched === undefined) return countTokens(Array.isArray(answer) ? answer : [answer])
    const usage = countTokens([batched])
    return { ...usage, raw: { ...usage.raw, batch: true } }
  } catch {
    // An object's own getters may throw.
    return unknownUsage
  }
}

function countTokens(messages: readonly unknown[]): TokenUsage {
  for (const message of messages) {
    const format = findFormatOfAnswer(message)
    if (format) return messages.reduce(format.reduce, format.initial).usage
  }
  return unknownUsage
}
