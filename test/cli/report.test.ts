import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleScript } from '../support/bundle-script.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { type CliRun, runCli } from './run-cli.js'

let database: TestDatabase
let directory: string

const run = (...args: string[]): Promise<CliRun> => runCli(args, directory, { DATABASE_URL: database.connectionString })

beforeAll(async () => {
  database = await createTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-cli-'))
  await database.query(
    `insert into token_usage_logs (
      timestamp, user_email, model_name, provider, input_tokens, output_tokens, request_type, cost_estimate, status,
      duration_ms, usage_source
    )
    values
      ('2026-03-01 12:00Z', 'ann', 'gpt', 'openai', 1200, 34, 'chat', 0.00000012, 'ok', 1500, 'provider'),
      ('2026-03-02 12:00Z', '=cmd|''/c calc''!A1', 'gpt', 'openai', 0, 0, 'chat', null, 'error', 7, 'unknown'),
      ('2026-03-02 12:00Z', E'ada\\u001b[2J', 'llama', null, 5, 6, 'chat', 1234.5, 'ok', null, 'provider')`,
  )
})
afterAll(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

const march = ['--since', '2026-03-01', '--until', '2026-03-31']

test('a report is a table with a line for the whole, and says what it could not count', async () => {
  const { code, stdout, stderr } = await run('report', ...march)

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.split('\n')).toEqual([
    'day         requests  input  output  cached         cost  unpriced  unknown  failed  aborted',
    '2026-03-01         1  1,200      34       0  $0.00000012         0        0       0        0',
    '2026-03-02         2      5       6       0    $1,234.50         1        1       1        0',
    '',
    '2026-03-01 to 2026-03-31, UTC: 3 requests, $1,234.50 (1 unpriced, 1 unknown)',
    '',
  ])
})

test('a name cannot command the terminal, and one that is missing is told', async () => {
  const { stdout } = await run('report', 'models', ...march, '--user', 'ada\u001b[2J')
  const { stdout: users } = await run('report', 'users', ...march)

  expect(stdout).toMatch(/^llama +\(none\) +1 /m)
  expect(users).toContain('ada?[2J')
  expect(users).not.toContain('\u001b')
})

test('no cell of the CSV is a formula, and amounts are exact', async () => {
  const { stdout } = await run('report', 'users', ...march, '--csv')

  expect(stdout.split('\n').slice(0, 3)).toEqual([
    'user,requests,input_tokens,output_tokens,cache_read_tokens,cost_usd,unpriced,unknown,failed,aborted',
    'ada\u001b[2J,1,5,6,0,1234.5,0,0,0,0',
    'ann,1,1200,34,0,0.00000012,0,0,0,0',
  ])
  expect(stdout).toContain(`\n'=cmd|'/c calc'!A1,1,,,0,,1,1,1,0\n`)
})

test('providers come with what a call costs and takes', async () => {
  const { stdout } = await run('report', 'providers', ...march, '--json')

  expect(JSON.parse(stdout).providers).toMatchObject([
    { group: '', costUsd: '1234.5', durationMs: null },
    { group: 'openai', errorRate: 0.5, measured: 1, durationMs: { p95: 1500 } },
  ])
})

test('top shows users and models, and what is beyond the limit as others', async () => {
  const { stdout } = await run('top', ...march, '--limit', '1')

  expect(stdout).toMatch(/^\(others\) +2 +1,200 /m)
  expect(stdout).toMatch(/^llama +\(none\) +1 /m)
})

test('a range without calls says so', async () => {
  const { code, stdout } = await run('report', '--since', '2d')

  expect(code).toBe(0)
  expect(stdout).toMatch(/^no calls\n\n\d{4}-\d\d-\d\d to now, UTC: 0 requests, \$0.00\n$/)
})

test.each([
  [['report', 'weekly']],
  [['report', '--since', 'yesterday']],
  [['report', '--status', 'good']],
  [['report', '--csv', '--json']],
  [['report', 'users', '--limit', '0']],
  [['top', '--until', '2026-02-30']],
])('a command line that is not understood (%j) exits with 2', async (args) => {
  const { code, stdout, stderr } = await run(...args)

  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).not.toBe('')
})

test('a reader that goes away ends it quietly', async () => {
  const child = spawn(process.execPath, [bundleScript('src/cli/main.ts'), 'report', ...march], {
    cwd: directory,
    env: { PATH: process.env.PATH, DATABASE_URL: database.connectionString },
  })
  child.stdout.destroy()

  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
