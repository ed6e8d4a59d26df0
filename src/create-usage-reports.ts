import PQueue from 'p-queue'
import { type Allowance, type Balance, getBalance } from './analytics/balance.js'
import { compareProviders, getLatencies, type Latencies, type ProviderComparison } from './analytics/latencies.js'
import { type MonthProjection, projectMonth } from './analytics/month-projection.js'
import { getRecommendations, type Recommendations } from './analytics/recommendations.js'
import { getOperationStats, getUsageBy, type UsageBreakdown, type UsageGroupQuery } from './analytics/usage-by.js'
import { getUsageByPeriod, type UsageSeries, type UsageSeriesQuery } from './analytics/usage-by-period.js'
import { getUsageGaps, type UsageGaps } from './analytics/usage-gaps.js'
import {
  findUsageCall,
  getUsageHistory,
  type UsageCallDetails,
  type UsageHistory,
  type UsageHistoryQuery,
} from './analytics/usage-history.js'
import type { UsageDimension, UsagePeriod, UsageQuery } from './analytics/usage-query.js'
import type { UsageReader } from './analytics/usage-reader.js'
import { getUsageTotals, type UsageTotals } from './analytics/usage-totals.js'
import { getUserStats, type UserStats } from './analytics/user-stats.js'
import { type ConfigOptions, readConfig } from './config.js'
import { ConfigurationError, TokenLedgerError } from './errors.js'
import type { PasswordSource } from './postgres/ask-password.js'
import { createPool } from './postgres/pool.js'
import type { UsagePool } from './postgres/usage-exporter.js'

export type UsageReportsOptions = Pick<ConfigOptions, 'databaseUrl' | 'sslMode'> & {
  /** Tells the password of the database user, as for `createUsageLogger`. */
  readonly password?: PasswordSource | undefined
  /** A pool of yours instead of `databaseUrl`; two of its connections are used at a time, and it is never ended. */
  readonly pool?: UsagePool | undefined
  /** Milliseconds after which one query is stopped, 30,000 by default. */
  readonly timeoutMs?: number | undefined
}

/**
 * Reads what has been logged, in read-only transactions. Every report rejects with a `TokenLedgerError` where its input
 * is wrong, and with the database's error where that fails. Every member is bound.
 */
export interface UsageReports {
  /** What all calls of a range add up to, with the change against the period before. */
  getUsageTotals(query?: UsageQuery): Promise<UsageTotals>
  /** Usage over time by hour, day, ISO week or month, of all calls or by user, model, ... */
  getUsageByPeriod(period: UsagePeriod, query?: UsageSeriesQuery): Promise<UsageSeries>
  /** Usage by user, model, provider, operation, project or request type: the top users, the top models, ... */
  getUsageBy(dimension: UsageDimension, query?: UsageGroupQuery): Promise<UsageBreakdown>
  /** Usage by operation. */
  getOperationStats(query?: UsageGroupQuery): Promise<UsageBreakdown>
  /** What one user has used: in all, by operation and by model. */
  getUserStats(user: string, query?: Omit<UsageQuery, 'user'>): Promise<UserStats>
  /** What a user has left of an allowance. */
  getBalance(user: string, allowance: Allowance): Promise<Balance>
  /** Single calls in pages, the latest first. */
  getUsageHistory(query?: UsageHistoryQuery): Promise<UsageHistory>
  /** One call with all that is known about it, by the `id` of its row. */
  findUsageCall(id: number, query?: UsageQuery): Promise<UsageCallDetails | undefined>
  /** Percentiles of duration and time to first chunk, of all calls or by user, model, ...; reads every row of the range. */
  getLatencies(dimension?: UsageDimension, query?: UsageQuery): Promise<Latencies>
  /** Cost, tokens, latency and errors of each provider. */
  compareProviders(query?: UsageQuery): Promise<ProviderComparison>
  /** What this month comes to. */
  projectMonth(filter?: Omit<UsageQuery, 'since' | 'until' | 'status'>): Promise<MonthProjection>
  /** Losses and dead letters: what the rows do not contain. */
  getUsageGaps(range?: Pick<UsageQuery, 'since' | 'until'>): Promise<UsageGaps>
  /** What the data suggest, with figures. */
  getRecommendations(query?: Omit<UsageQuery, 'status'>): Promise<Recommendations>
  /** Ends the pool, unless it is yours. */
  close(): Promise<void>
}

const mostConnections = 2
const mostWaiting = 100

/**
 * Opens the reports on the database of `DATABASE_URL` or the options. Connects when it is first asked, with two connections
 * of its own at most, so that no report keeps the logger waiting. Throws a `ConfigurationError` without a database.
 */
export function createUsageReports(options: UsageReportsOptions = {}): UsageReports {
  const pool = options.pool ?? createReportPool(options)
  const reader = { pool, timeoutMs: options.timeoutMs ?? 30_000 }
  let closing: Promise<void> | undefined
  const close = async () => {
    if (options.pool === undefined) await pool.end()
  }
  const queue = new PQueue({ concurrency: mostConnections })
  const ask = async <T>(report: (reader: UsageReader) => Promise<T>) => {
    if (queue.size >= mostWaiting) {
      throw new TokenLedgerError('TOKENLEDGER_BUSY', `${mostWaiting} reports are waiting already. Ask again later.`)
    }
    return queue.add(() => report(reader))
  }
  return {
    getUsageTotals: (query) => ask((reader) => getUsageTotals(reader, query)),
    getUsageByPeriod: (period, query) => ask((reader) => getUsageByPeriod(reader, period, query)),
    getUsageBy: (dimension, query) => ask((reader) => getUsageBy(reader, dimension, query)),
    getOperationStats: (query) => ask((reader) => getOperationStats(reader, query)),
    getUserStats: (user, query) => ask((reader) => getUserStats(reader, user, query)),
    getBalance: (user, allowance) => ask((reader) => getBalance(reader, user, allowance)),
    getUsageHistory: (query) => ask((reader) => getUsageHistory(reader, query)),
    findUsageCall: (id, query) => ask((reader) => findUsageCall(reader, id, query)),
    getLatencies: (dimension, query) => ask((reader) => getLatencies(reader, dimension, query)),
    compareProviders: (query) => ask((reader) => compareProviders(reader, query)),
    projectMonth: (filter) => ask((reader) => projectMonth(reader, filter)),
    getUsageGaps: (range) => ask((reader) => getUsageGaps(reader, range)),
    getRecommendations: (query) => ask((reader) => getRecommendations(reader, query)),
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

function createReportPool({ databaseUrl, sslMode, password }: UsageReportsOptions): UsagePool {
  const config = readConfig({ databaseUrl, sslMode })
  if (!config.databaseUrl) throw new ConfigurationError('DATABASE_URL is not set. Set it, or pass databaseUrl or pool.')
  return createPool({
    databaseUrl: config.databaseUrl,
    password,
    sslMode: config.sslMode,
    sslEnvironment: config.sslEnvironment,
    maxConnections: mostConnections,
  })
}
