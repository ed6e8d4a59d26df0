import { TokenLedgerError } from '../errors.js'
import { extractUsage } from '../extractors/extract-usage.js'
import type { ExecutionResult } from './ai-provider.js'

/** An answer as a provider read it. `output` is unchecked: undefined where the answer holds no message. */
export type ReadAnswer = {
  readonly provider: string
  readonly model: string
  readonly output: unknown
  readonly answer: unknown
}

/** Counts the answer's tokens as its row does. Throws where its `output` is no text. */
export function toExecutionResult({ provider, model, output, answer }: ReadAnswer): ExecutionResult {
  if (typeof output !== 'string')
    throw new TokenLedgerError('TOKENLEDGER_EXECUTION', `the answer of ${provider} holds no message that could be read`)
  const { inputTokens, outputTokens } = extractUsage(answer)
  return { output, inputTokensUsed: inputTokens ?? 0, outputTokensUsed: outputTokens ?? 0, provider, model }
}
