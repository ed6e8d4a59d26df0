import { estimateTokens } from '../usage/estimate-tokens.js'
import type { TokenUsage } from '../usage/token-usage.js'
import type { CallRequest } from './call-request.js'
import type { ReceivedText } from './received-text.js'
import { textOfRequest } from './request-text.js'

/** What a call that did not end normally leaves to estimate from. */
export type EstimateSource = {
  readonly model: string
  readonly received: ReceivedText
  readonly request: Pick<CallRequest, 'readBody'>
}

/**
 * The same usage with an estimate of each count that is not known, and their names in `raw.estimated`; undefined where
 * there is nothing to estimate, or nothing arrived to do it from. The input is estimated only beside the output.
 */
export function estimateUsage(usage: TokenUsage, source: EstimateSource): TokenUsage | undefined {
  const { model, received, request } = source
  if (usage.outputTokens !== null || received.length === 0) return undefined
  const { start } = received
  const outputTokens = Math.ceil((estimateTokens(start, model) * received.length) / start.length)
  const inputText = usage.inputTokens === null ? textOfRequest(request.readBody()) : ''
  const inputTokens = inputText === '' ? usage.inputTokens : estimateTokens(inputText, model)
  const estimated = inputText === '' ? ['outputTokens'] : ['inputTokens', 'outputTokens']
  return { ...usage, inputTokens, outputTokens, raw: { ...usage.raw, estimated } }
}
