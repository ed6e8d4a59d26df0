import pg from 'pg'
import { createUsageReports, type UsageReports } from '../../src/index.js'
import { median, type Row } from './report.js'

const rounds = 7
const user = 'user-3@example.com'

/** The views that answer what the documented queries ask, of the days. */
const views: Record<string, string> = {
  'view: usage by user and day, 30 days, first 100':
    'select day, user_email, input_tokens, output_tokens, requests from token_usage_user_days where day > current_date - 30 order by day desc, input_tokens + output_tokens desc limit 100',
  'view: the same, all lines':
    'select day, user_email, input_tokens, output_tokens, requests from token_usage_user_days where day > current_date - 30',
  'view: most used models, 7 days':
    'select model_name, sum(requests), sum(input_tokens), sum(output_tokens) from token_usage_daily where day > current_date - 7 group by model_name order by 2 desc',
  'view: user activity, all time':
    'select user_email, requests, input_tokens, output_tokens, first_at, last_at from token_usage_users order by input_tokens + output_tokens desc',
}

const asked: Record<string, (reports: UsageReports) => Promise<unknown>> = {
  'totals, 30 days and 30 before': (reports) => reports.getUsageTotals({ since: '30d' }),
  'by day, 30 days': (reports) => reports.getUsageByPeriod('day', { since: '30d' }),
  'by day, one user': (reports) => reports.getUsageByPeriod('day', { since: '30d', user }),
  'by day and model, 30 days': (reports) => reports.getUsageByPeriod('day', { since: '30d', by: 'model', limit: 8 }),
  'by hour, 2 days': (reports) => reports.getUsageByPeriod('hour', { since: '2d' }),
  'top users, 30 days': (reports) => reports.getUsageBy('user', { since: '30d', limit: 10 }),
  'top models, 7 days': (reports) => reports.getUsageBy('model', { since: '7d', limit: 10 }),
  'operations, 30 days': (reports) => reports.getOperationStats({ since: '30d' }),
  'stats of one user, all time': (reports) => reports.getUserStats(user),
  'balance of one user, 30 days': (reports) => reports.getBalance(user, { allowanceUsd: 100, since: '30d' }),
  'newest 50 calls': (reports) => reports.getUsageHistory(),
  'newest 50 calls of one user': (reports) => reports.getUsageHistory({ user }),
  'calls of an hour that failed': (reports) => reports.getUsageHistory({ since: '1h', status: 'error' }),
  'latencies, 1 day, from rows': (reports) => reports.getLatencies(undefined, { since: '1d' }),
  'providers compared, 7 days, from rows': (reports) => reports.compareProviders({ since: '7d' }),
  'month projected': (reports) => reports.projectMonth(),
  'recommendations, 30 days': (reports) => reports.getRecommendations(),
}

/** Milliseconds until each report is there, over one warm connection. */
export async function timeReports(databaseUrl: string): Promise<Row[]> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 })
  const reports = createUsageReports({ pool, timeoutMs: 120_000 })
  const rows: Row[] = []
  for (const [what, sql] of Object.entries(views)) rows.push(await time(what, () => pool.query(sql)))
  for (const [what, ask] of Object.entries(asked)) rows.push(await time(what, () => ask(reports)))
  await pool.end()
  return rows
}

async function time(what: string, ask: () => Promise<unknown>): Promise<Row> {
  const times: number[] = []
  await ask()
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    await ask()
    times.push(performance.now() - start)
  }
  return { what, figure: `${median(times).toFixed(1)} ms`, ratio: `${Math.min(...times).toFixed(1)} ms` }
}
