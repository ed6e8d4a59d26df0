import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'
import { findFormatOfAnswer } from './registry.js'

/**
 * Token counts of a provider's answer: the answer object, or an array of all events or chunks of a streamed one, in
 * order. Never throws: what is not recognised is `unknownUsage`.
 */
export function extractUsage(answer: unknown): TokenUsage {
  try {
    return countTokens(Array.isArray(answer) ? answer : [answer])
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
