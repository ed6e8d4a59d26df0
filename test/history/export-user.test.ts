import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ExportPage, exportUser } from '../../src/history/export-user.js'
import { CsvExport, type ExportFormat, JsonExport } from '../../src/history/format-export.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const ann = 'ann@example.com'
let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await database.query('alter table token_usage_logs add column legacy boolean')
  await database.query(
    `insert into token_usage_logs
      (id, timestamp, user_email, model_name, input_tokens, output_tokens, request_type, cost_estimate, metadata, operation, legacy)
    select
      n, timestamptz '2026-03-01 10:00:00.123456Z' + n * interval '1 minute',
      case n % 3 when 0 then 'bob@example.com' when 1 then $1 else ' Ann@Example.com' end, 'm' || n % 2, n, 1, 'chat',
      0.000000000001, '{"n": 12345678901234567890}', case when n = 1 then '=1+1' end, n = 1
    from generate_series(1, 3600) as n`,
    [ann],
  )
  await database.query(`update token_usage_logs set cost_estimate = 'NaN' where id = 4`)
  await database.query(
    `insert into token_usage_dead_letters (event_id, failed_at, code, reason, record)
    values
      ('00000000-0000-4000-8000-000000000001', '2026-03-01Z', '22003', 'too large', '{"userEmail":"Ann@example.com","metadata":"\\u0000"}'),
      ('00000000-0000-4000-8000-000000000002', '2026-03-01Z', '22003', 'too large', '{"userEmail":"bob@example.com"}')`,
  )
})
afterAll(() => database.drop())

async function exportAs(format: ExportFormat, user = ann): Promise<string> {
  const texts: string[] = []
  await exportUser(database.pool, user, async (page) => void texts.push(format.textOf(page)))
  return texts.join('') + format.end
}

test('everything that is stored about a user comes as one JSON document, all spellings, and nothing of others', async () => {
  const text = await exportAs(new JsonExport())

  const document = JSON.parse(text)
  expect(Object.keys(document)).toEqual(['token_usage_logs', 'token_usage_daily', 'token_usage_dead_letters'])
  expect(document.token_usage_logs).toHaveLength(2400)
  expect(document.token_usage_logs[0]).toMatchObject({
    id: 1,
    timestamp: '2026-03-01 10:01:00.123456+00',
    user_email: ann,
    cost_estimate: 1e-12,
    metadata: { n: Number('12345678901234567890') },
    session_id: null,
    legacy: true,
  })
  expect(document.token_usage_logs[2]).toMatchObject({ id: 4, cost_estimate: 'NaN', legacy: false })
  expect(
    document.token_usage_daily.reduce((sum: number, { requests }: { requests: number }) => sum + requests, 0),
  ).toBe(2400)
  expect(document.token_usage_dead_letters).toMatchObject([{ code: '22003', record: { metadata: '\0' } }])
  expect(text).toContain('"cost_estimate":0.000000000001,')
  expect(text).toContain('12345678901234567890')
  expect(text).not.toContain('bob@')
})

test('a user of whom nothing is stored is a document of empty tables', async () => {
  const json = await exportAs(new JsonExport(), 'nobody@example.com')
  const csv = await exportAs(new CsvExport(), 'nobody@example.com')

  expect(JSON.parse(json)).toEqual({ token_usage_logs: [], token_usage_daily: [], token_usage_dead_letters: [] })
  expect(csv.trimEnd().split('\r\n')).toHaveLength(1)
})

test('a CSV file has one header, a line for each row, the same cells in each, and no formula', async () => {
  const lines = (await exportAs(new CsvExport())).trimEnd().split('\r\n')

  const [sums] = await database.query(`select count(*)::int from token_usage_daily where user_email ilike '%ann%'`)
  const [header = '', first = ''] = lines
  const names = header.replaceAll('"', '').split(',')
  const cells = Object.fromEntries(first.split(',').map((cell, index) => [names[index], cell]))
  expect(names.slice(0, 3)).toEqual(['table', 'id', 'timestamp'])
  expect(new Set(names).size).toBe(names.length)
  expect(lines).toHaveLength(1 + 2400 + sums?.count + 1)
  expect(cells).toMatchObject({
    table: '"token_usage_logs"',
    id: '1',
    operation: `"'=1+1"`,
    cost_estimate: '0.000000000001',
  })
  expect(cells).toMatchObject({ user_email: `"${ann}"`, session_id: '', day: '' })
})

test.each([
  ['=1+1', `"'=1+1"`],
  ['+49 30', `"'+49 30"`],
  ['-2+3', `"'-2+3"`],
  ['@SUM(A1)', `"'@SUM(A1)"`],
  ['\t=1', `"'\t'=1"`],
  ['\r\n=1', `"'\r\n'=1"`],
  ['  \u200b=1', `"'  \u200b=1"`],
  ['＝1', `"'＝1"`],
  ['a;=1', `"a;'=1"`],
  ['say "hi", a=1', '"say ""hi"", a=1"'],
])('a cell of %j is written %j', (text, cell) => {
  const page: ExportPage = {
    table: 'token_usage_logs',
    columns: [
      { name: 'a', kind: 'text' },
      { name: 'n', kind: 'json' },
    ],
    allColumns: ['a', 'n'],
    rows: [[text, '-1.5']],
  }

  const csv = new CsvExport().textOf(page)

  expect(csv).toBe(`"table","a","n"\r\n"token_usage_logs",${cell},-1.5\r\n`)
})
