import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'

/** Usage of a call that generates nothing: no output, which is known as far as the input is. */
export function inputUsage(inputTokens: number | null, raw: TokenUsage['raw']): TokenUsage {
  return { ...unknownUsage, inputTokens, outputTokens: inputTokens === null ? null : 0, raw }
}
