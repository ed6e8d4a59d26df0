import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { type CliRun, runCli } from './run-cli.js'

let database: TestDatabase
let directory: string

const run = (...args: string[]): Promise<CliRun> =>
  runCli(['backfill', '--table', 'prompts', '--tokens-column', 'tokens_used', ...args], directory, {
    DATABASE_URL: database.connectionString,
  })

beforeAll(async () => {
  database = await createTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-cli-'))
})
beforeEach(async () => {
  await database.query('drop table if exists prompts, responses, quotas')
  await database.query(
    'create table prompts (id serial primary key, user_id text, prompt text, tokens_used int, timestamp timestamptz)',
  )
  await database.query('create table responses (prompt_id int, response text)')
  await database.query('create table quotas (user_id text primary key, used_today int)')
  await database.query(
    `insert into prompts (user_id, prompt, tokens_used, timestamp)
    values ('ada', repeat('a', 400), 0, '2026-01-01'), ('bob', 'hi', null, '2026-01-02'), ('ada', 'hi', 7, '2026-01-03')`,
  )
  await database.query(`insert into responses values (1, repeat('x', 1000))`)
  await database.query(`insert into quotas values ('ada', 5)`)
})
afterAll(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

const all = ['--response-table', 'responses', '--response-column', 'response', '--quota-table', 'quotas']

test('a dry run lists rows, quotas and a summary', async () => {
  const { code, stdout, stderr } = await run(...all, '--dry-run')

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.split('\n')).toEqual([
    '2  prompt 2 characters  10 tokens',
    '1  prompt 400, response 1000 characters  385 tokens',
    'quota of ada  5 -> 390 (+385)',
    'rows        2',
    'tokens      395',
    'users       2',
    'quotas      1; 1 users have none',
    'mode        chars (dry run, nothing was changed)',
    '',
  ])
})

test('a dry run as JSON is one document', async () => {
  const { stdout } = await run(...all, '--dry-run', '--json')

  expect(JSON.parse(stdout)).toMatchObject({
    rows: [
      { id: '2', promptLength: 2, responseLengths: [], tokens: 10 },
      { id: '1', responseLengths: [1000], tokens: 385 },
    ],
    quotas: [{ user: 'ada', before: '5', after: '390', tokens: '385' }],
    summary: { mode: 'dry-run', rows: 2, tokens: 395 },
  })
})

test('a live run shows its progress, fills, and has nothing to do the second time', async () => {
  await database.query(`insert into prompts (prompt, timestamp) select 'hello', now() from generate_series(1, 23)`)

  const first = await run(...all, '--yes')
  const second = await run(...all)
  const third = await run(...all, '--dry-run', '--json')

  expect(first).toMatchObject({
    code: 0,
    stderr: ['10', '20', '25'].map((done) => `tokenledger: ${done} of 25 rows\n`).join(''),
  })
  expect(first.stdout).toContain('rows        25\ntokens      625\n')
  expect(second).toEqual({ code: 0, stdout: 'No prompts need token backfill!\n', stderr: '' })
  expect(JSON.parse(third.stdout)).toMatchObject({ rows: [], quotas: [], summary: { rows: 0 } })
  expect(await database.query('select used_today from quotas')).toEqual([{ used_today: 390 }])
})

test('without a terminal it tells what it would do, names the flag, and changes nothing', async () => {
  const { code, stdout, stderr } = await run(...all)

  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('tokens      395\n')
  expect(stderr).toContain('there is no terminal to ask. With --yes it does not ask. Nothing was changed.\n')
  expect(await database.query('select tokens_used from prompts where id = 1')).toEqual([{ tokens_used: 0 }])
})

test('what is missing is one line: the database, a connection, a permission, a column', async () => {
  // A role belongs to the whole server, which may be that of other runs too.
  const name = `tokenledger_${randomBytes(6).toString('hex')}`
  await database.query(`create role ${name} login password 'x'`)
  onTestFinished(async () => void (await database.query(`drop owned by ${name}; drop role ${name}`)))
  await database.query(`grant select on prompts to ${name}`)
  const asReader = new URL(database.connectionString)
  asReader.username = name
  asReader.password = 'x'
  const runWith = (environment: Record<string, string>) =>
    runCli(['backfill', '--table', 'prompts', '--tokens-column', 'tokens_used', '--yes'], directory, environment)

  const runs = [
    await runWith({}),
    await runWith({ DATABASE_URL: 'postgres://someone:hunter2@127.0.0.1:1/nowhere' }),
    await runWith({ DATABASE_URL: asReader.href }),
    await run('--prompt-column', 'text'),
  ]

  expect(runs.map(({ code }) => code)).toEqual([1, 1, 1, 1])
  expect(runs.map(({ stderr }) => stderr)).toEqual([
    expect.stringMatching(/^tokenledger: DATABASE_URL is not set\. [^\n]*\n$/),
    'tokenledger: The database cannot be used: nothing answers at its address (ECONNREFUSED)\n',
    expect.stringMatching(
      /^tokenledger: The database user may not do this: permission denied for table prompts\. [^\n]*\n$/,
    ),
    expect.stringMatching(
      /^tokenledger: The table public\.prompts has no column "text"\. [^\n]*--prompt-column names the one to use\.\n$/,
    ),
  ])
})
