import type { StandInCall } from '../../test/support/provider-stand-in.js'
import type { StoredRow } from './stored-rows.js'

/** A call as the provider saw it, with the user it was made for. */
export type CountedCall = Pick<
  StandInCall,
  'provider' | 'requestType' | 'model' | 'responseId' | 'counts' | 'partsSent' | 'outcome'
> & { readonly id: string; readonly user: string }

export type Comparison = {
  /** Calls that the provider counted. */
  readonly calls: number
  readonly rows: number
  /** Calls without a row. */
  readonly missing: number
  /** Rows beyond the one of their call. */
  readonly duplicated: number
  /** Rows that do not say what the provider counted, as far as it told. */
  readonly different: number
  /** A sentence about each of these. */
  readonly problems: readonly string[]
}

type Expectation = Omit<StoredRow, 'sessionId'>
type Counts = Pick<
  Expectation,
  'inputTokens' | 'outputTokens' | 'cacheReadTokens' | 'cacheWriteTokens' | 'reasoningTokens'
>

type CountsWithSource = Counts & Pick<Expectation, 'usageSource'>

/** The stand-in says a word in a part, and the prompts are short. */
const mostTokensOfPart = 6
const mostTokensOfPrompt = 40
const nothingTold = { cacheReadTokens: null, cacheWriteTokens: null, reasoningTokens: null }
const unknown: Counts = { inputTokens: 0, outputTokens: 0, ...nothingTold }

/** Compares each call with the row of its session, and every column of it that the call decides. */
export function compare(calls: readonly CountedCall[], rows: readonly StoredRow[]): Comparison {
  const left = new Set(rows)
  const missing: string[] = []
  const different: string[] = []
  for (const call of calls) {
    const row = [...left].find(({ sessionId }) => sessionId === call.id)
    if (row === undefined) {
      missing.push(`${call.id}: no row for this call of ${call.model}`)
      continue
    }
    left.delete(row)
    const differences = describeDifferences(row, expectRow(call, row))
    if (differences.length > 0) different.push(`${call.id}: ${differences.join(', ')}`)
  }
  const duplicated = [...left].map(({ sessionId }) => `${sessionId}: a row too many`)
  return {
    calls: calls.length,
    rows: rows.length,
    missing: missing.length,
    duplicated: duplicated.length,
    different: different.length,
    problems: [...missing, ...duplicated, ...different],
  }
}

function expectRow(call: CountedCall, row: StoredRow): Expectation {
  const { user, model, provider, requestType } = call
  const common = { userEmail: user, modelName: model, provider, requestType, responseId: call.responseId }
  if (requestType === 'image') {
    return { ...common, status: 'ok', usageSource: 'fixed', ...unknown, inputTokens: 1, outputTokens: 1 }
  }
  if (call.outcome === 'complete') return { ...common, status: 'ok', usageSource: 'provider', ...countsTold(call) }
  return { ...common, status: call.outcome === 'disconnected' ? 'aborted' : 'error', ...expectCounts(call, row) }
}

// What was sent may not have arrived: only where the row claims an estimate is there one to be checked.
function expectCounts(call: CountedCall, row: StoredRow): CountsWithSource {
  const told = countsToldBefore(call)
  if (row.usageSource !== 'estimated') return told
  return {
    ...told,
    usageSource: 'estimated',
    inputTokens: told.inputTokens || within(row.inputTokens, mostTokensOfPrompt),
    outputTokens: within(row.outputTokens, call.partsSent * mostTokensOfPart),
  }
}

function within(count: number, most: number): number {
  return count >= 1 && count <= most ? count : most
}

// OpenAI and Ollama tell what they counted at the very end, Anthropic its input at the beginning.
function countsToldBefore(call: CountedCall): CountsWithSource {
  if (call.provider !== 'anthropic' || call.partsSent === 0) return { usageSource: 'unknown', ...unknown }
  return { usageSource: 'provider_partial', ...countsTold(call), outputTokens: 0 }
}

function countsTold({ provider, counts }: CountedCall): Counts {
  const { inputTokens, outputTokens } = counts
  return { inputTokens, outputTokens, ...nothingTold, ...partsTold(provider, counts) }
}

function partsTold(provider: CountedCall['provider'], counts: CountedCall['counts']): Partial<Counts> {
  const { cacheReadTokens, cacheWriteTokens, reasoningTokens } = counts
  if (provider === 'openai') return { cacheReadTokens, reasoningTokens }
  return provider === 'anthropic' ? { cacheReadTokens, cacheWriteTokens } : {}
}

function describeDifferences(row: StoredRow, expected: Expectation): string[] {
  return (Object.keys(expected) as (keyof Expectation)[])
    .filter((column) => row[column] !== expected[column])
    .map((column) => `${column} is ${row[column]} instead of ${expected[column]}`)
}
