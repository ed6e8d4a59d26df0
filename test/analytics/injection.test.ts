import { afterAll, beforeAll, expect, test } from 'vitest'
import { createUsageReports, type UsageReports } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

// What sleeps does so for longer than a report may take.
const payloads = [
  "'",
  "''",
  '"',
  '\\',
  "\\'",
  ';',
  '--',
  '/*',
  "' or '1'='1",
  "' or 1=1 --",
  "') or ('1'='1",
  "' union select null, null --",
  "'; drop table token_usage_logs; --",
  "'; delete from token_usage_logs; commit; --",
  "' || pg_sleep(600) || '",
  "' or (select pg_sleep(600)) is null --",
  "'; select pg_sleep(600); --",
  '1; select pg_sleep(600)',
  '(select pg_sleep(600))',
  '$1',
  '$$; select pg_sleep(600); $$',
  "E'\\x27'",
  '%27%20or%201=1',
  '\u02bc or \u02bc1\u02bc=\u02bc1',
  '\uff07 or 1=1',
  "user_email; update token_usage_logs set user_email = 'x'",
  'case when true then user_email end',
  'cost desc, (select pg_sleep(600))',
  '{"$ne": null}',
  '\u202e\u0007\n\r\t',
  '\ud800',
  'a\0b',
]
// Every place of the interface that takes a text. `as never` is what a caller without types could pass.
const inputs: Record<string, (reports: UsageReports, text: string) => Promise<unknown>> = {
  since: (reports, text) => reports.getUsageTotals({ since: text }),
  until: (reports, text) => reports.getUsageTotals({ until: text }),
  'filters of days': (reports, text) =>
    reports.getUsageTotals({
      user: text,
      model: text,
      provider: text,
      operation: text,
      project: text,
      requestType: text,
    }),
  status: (reports, text) => reports.getUsageTotals({ status: text as never }),
  'user of rows': (reports, text) =>
    reports.getUsageHistory({ user: text, model: text, provider: text, project: text }),
  'user of hours': (reports, text) =>
    reports.getUsageByPeriod('hour', { user: text, operation: text, requestType: text }),
  'user of latencies': (reports, text) => reports.getLatencies('user', { user: text, operation: text }),
  period: (reports, text) => reports.getUsageByPeriod(text as never),
  dimension: (reports, text) => reports.getUsageBy(text as never),
  'dimension of a series': (reports, text) => reports.getUsageByPeriod('day', { by: text as never }),
  'dimension of latencies': (reports, text) => reports.getLatencies(text as never),
  order: (reports, text) => reports.getUsageBy('user', { order: text as never }),
  limit: (reports, text) => reports.getUsageBy('user', { limit: text as never }),
  cursor: (reports, text) => reports.getUsageHistory({ cursor: text }),
  'limit of a page': (reports, text) => reports.getUsageHistory({ limit: text as never }),
  id: (reports, text) => reports.findUsageCall(text as never),
  'user of stats': (reports, text) => reports.getUserStats(text),
  'user of a balance': (reports, text) => reports.getBalance(text, { allowanceUsd: 1 }),
  allowanceTokens: (reports, text) => reports.getBalance('ann', { allowanceTokens: text as never }),
  allowanceUsd: (reports, text) => reports.getBalance('ann', { allowanceUsd: text }),
  'since of a balance': (reports, text) => reports.getBalance('ann', { allowanceUsd: 1, since: text }),
  'since of gaps': (reports, text) => reports.getUsageGaps({ since: text }),
  'user of a month': (reports, text) =>
    reports.projectMonth({ user: text, model: text, provider: text, operation: text }),
  'user of recommendations': (reports, text) => reports.getRecommendations({ user: text, model: text, project: text }),
}

let database: TestDatabase
let reports: UsageReports

beforeAll(async () => {
  database = await createTestDatabase()
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    values (now(), 'ann', 'm1', 1, 2, 'chat')`,
  )
  reports = createUsageReports({ databaseUrl: database.connectionString })
})
afterAll(async () => {
  await reports.close()
  await database.drop()
})

test.each(Object.entries(inputs))('%s is a value, whatever it says', async (_name, ask) => {
  for (const payload of payloads) {
    const result = await ask(reports, payload).catch((error: { code: string }) => error)

    // Refused for what it is, or a name that nobody has: never an error of the database, and never ann's call.
    if (result instanceof Error) expect(result).toMatchObject({ code: 'TOKENLEDGER_USAGE_QUERY' })
    expect(JSON.stringify(result)).not.toContain('"m1"')
    expect(JSON.stringify(result)).not.toContain('"requests":1')
  }

  const rows = await database.query('select user_email, model_name from token_usage_logs')
  expect(rows).toEqual([{ user_email: 'ann', model_name: 'm1' }])
})
