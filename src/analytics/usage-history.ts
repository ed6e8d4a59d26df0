import { z } from 'zod'
import type { CallStatus, CostSource, UsageSource } from '../usage/usage-record.js'
import { usageQuerySchema } from './usage-query.js'
import { parseInput, readQueryFile, readReport, type UsageReader } from './usage-reader.js'
import type { UsageRange } from './usage-sums.js'

const cursorPattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)_(\d{1,18})$/

/** A query of single calls, in pages. */
export const usageHistoryQuerySchema = usageQuerySchema.extend({
  /** `nextCursor` of the page before. */
  cursor: z.string().regex(cursorPattern, 'it has to be the nextCursor of another page').optional(),
  /** Calls of one page, 1 to 1,000; 50 by default. */
  limit: z.int().min(1).max(1000).optional(),
})
export type UsageHistoryQuery = Readonly<z.input<typeof usageHistoryQuerySchema>>

/** One row of `token_usage_logs`. What is null nobody has said; a count that nobody knows is null, never 0. */
export type UsageCall = {
  readonly id: number
  readonly eventId: string | null
  /** ISO 8601, in microseconds. */
  readonly timestamp: string
  readonly userEmail: string
  readonly sessionId: string | null
  readonly provider: string | null
  readonly modelName: string
  readonly requestType: string
  readonly operation: string | null
  readonly operationId: string | null
  readonly project: string | null
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly cacheReadTokens: number | null
  readonly cacheWriteTokens: number | null
  readonly reasoningTokens: number | null
  /** US dollars as a decimal text; null where the call has no price. */
  readonly costUsd: string | null
  readonly costSource: CostSource | null
  readonly status: CallStatus | null
  readonly usageSource: UsageSource | null
  readonly responseId: string | null
  readonly durationMs: number | null
  readonly timeToFirstChunkMs: number | null
}

/** One call with what the application and the provider added to it. */
export type UsageCallDetails = UsageCall & {
  readonly metadata: Readonly<Record<string, unknown>> | null
  readonly rawUsage: Readonly<Record<string, unknown>> | null
}

export type UsageHistory = {
  readonly range: UsageRange
  /** The latest first. */
  readonly calls: readonly UsageCall[]
  /** To be passed as `cursor` for what comes after these calls; null where nothing does. */
  readonly nextCursor: string | null
}

const selectCalls = readQueryFile('usage-calls')

/**
 * Single calls in pages, the latest first. Pages that are read one after the other have no call twice and leave none out,
 * whatever is written meanwhile.
 */
export async function getUsageHistory(reader: UsageReader, query: UsageHistoryQuery = {}): Promise<UsageHistory> {
  const { cursor, limit = 50, ...rest } = parseInput(usageHistoryQuerySchema, query)
  const [, timestamp, id] = cursorPattern.exec(cursor ?? '') ?? []
  return readReport(reader, rest, async ({ read, scope }) => {
    const rows = (await read(selectCalls(), [...scope.rowValues, timestamp, id, limit + 1, null])) as UsageCallDetails[]
    const calls = rows.slice(0, limit).map(({ metadata, rawUsage, ...call }) => call)
    const last = rows.length > limit ? calls.at(-1) : undefined
    return { range: scope.range, calls, nextCursor: last ? `${last.timestamp}_${last.id}` : null }
  })
}

/** One call by the `id` of its row; undefined where there is none, or the filters of `query` do not let it through. */
export async function findUsageCall(
  reader: UsageReader,
  id: number,
  query: Omit<UsageHistoryQuery, 'cursor' | 'limit'> = {},
): Promise<UsageCallDetails | undefined> {
  const only = parseInput(z.int().min(0), id)
  return readReport(reader, query, async ({ read, scope }) => {
    const [call] = await read(selectCalls(), [...scope.rowValues, null, null, 1, only])
    return call as UsageCallDetails | undefined
  })
}
