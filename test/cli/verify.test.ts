import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { type CliRun, runCli } from './run-cli.js'

let database: TestDatabase
let directory: string

const run = (...args: string[]): Promise<CliRun> => runCli(args, directory, { DATABASE_URL: database.connectionString })

beforeEach(async () => {
  database = await createTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-cli-'))
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    values ('2026-05-06 12:00Z', E'ada\\u001b[2J@example.com', 'm', 1, 2, 'chat')`,
  )
})
afterEach(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

test('a ledger that adds up is told in lines, and exits with 0', async () => {
  const { code, stdout, stderr } = await run('verify')

  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(stdout.split('\n')).toEqual([
    'rows          1, of which 1 without an event_id',
    'daily sums    equal to the rows',
    'dead letters  none',
    'losses        none',
    'ids           0.0 % of 2147483647 used',
    '',
  ])
})

test('a difference exits with 3 and is named; a repair ends it', async () => {
  await database.query('update token_usage_daily set input_tokens = 7')

  const found = await run('verify')
  const repaired = await run('verify', '--repair', '--json')
  const after = await run('verify', '--json')

  expect(found.code).toBe(3)
  expect(found.stdout).toContain('\n  2026-05-06  m  ada?[2J@example.com: input_tokens 7, rows 1\n')
  expect(repaired.code).toBe(0)
  expect(JSON.parse(repaired.stdout)).toMatchObject({ differences: 0, repaired: 1 })
  expect(after.code).toBe(0)
  expect(JSON.parse(after.stdout)).toMatchObject({ rows: 1, differences: 0, firstDifferences: [], repaired: 0 })
})

test('rows of a clock that goes ahead are told, and what to do', async () => {
  await database.query(`update token_usage_logs set timestamp = now() + interval '1 hour'`)

  const { code, stdout } = await run('verify')

  expect(code).toBe(0)
  expect(stdout.split('\n')[1]).toBe(
    'future        rows with a time that has not come: 1; set the clocks of the machines that wrote them by NTP',
  )
})

test('ids that near their end are warned of', async () => {
  await database.query(`select setval('token_usage_logs_id_seq', 1800000000)`)

  const { code, stdout } = await run('verify')

  expect(code).toBe(0)
  expect(stdout).toContain('ids           WARNING: 83.8 % of 2147483647 used')
})

test.each([
  [['verify', '--repare']],
  [['dead-letters']],
  [['dead-letters', 'list', '--limit', '0']],
  [['dead-letters', 'retry', '--id', 'x']],
])('a command line that is not understood (%j) exits with 2', async (args) => {
  const { code, stdout } = await run(...args)

  expect(code).toBe(2)
  expect(stdout).toBe('')
})

test.each([[['verify']], [['dead-letters', 'list']], [['dead-letters', 'retry']]])(
  'a database that does not answer (%j) is one line without the connection string, and exits with 1',
  async (args) => {
    const { code, stdout, stderr } = await runCli(args, directory, {
      DATABASE_URL: 'postgres://someone:hunter2@127.0.0.1:1/nowhere',
    })

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe('tokenledger: The database cannot be used: nothing answers at its address (ECONNREFUSED)\n')
  },
)

test('dead letters are listed, and written by a retry; one that is refused again exits with 3', async () => {
  await database.query(`alter table token_usage_logs add constraint odd check (model_name <> 'poison')`)
  await database.query(
    `insert into token_usage_dead_letters (event_id, failed_at, code, reason, record)
    values
      ('00000000-0000-4000-8000-000000000001', '2026-01-01Z', '22003', 'too large', '{"modelName": "m"}'),
      ('00000000-0000-4000-8000-000000000002', '2026-01-02Z', '23514', 'odd', '{"modelName": "poison"}')`,
  )

  const list = await run('dead-letters', 'list', '--limit', '1')
  const dryRun = await run('dead-letters', 'retry', '--dry-run')
  const retry = await run('dead-letters', 'retry', '--json')
  const rest = await run('dead-letters', 'list', '--json')
  const missing = await run('dead-letters', 'retry', '--id', '00000000-0000-4000-8000-000000000001')

  expect(list.stdout).toBe('2026-01-01T00:00:00.000000Z  00000000-0000-4000-8000-000000000001  22003  too large\n')
  expect(dryRun).toMatchObject({
    code: 0,
    stdout: '2 to send again, nothing was changed; 0 written, 0 refused again\n',
  })
  expect(retry.code).toBe(3)
  expect(JSON.parse(retry.stdout)).toMatchObject({ found: 2, written: 1, refused: 1, refusals: [{ code: '23514' }] })
  expect(JSON.parse(rest.stdout)).toMatchObject([
    { eventId: '00000000-0000-4000-8000-000000000002', record: '{"modelName": "poison"}' },
  ])
  expect(missing).toMatchObject({ code: 1, stdout: '' })
})
