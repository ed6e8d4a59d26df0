import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { runCli } from './run-cli.js'
import { hasTerminal, runOnTerminal } from './run-on-terminal.js'

const ann = 'ann@example.com'
let database: TestDatabase
let directory: string

const run = (...args: string[]) => runCli(args, directory, { DATABASE_URL: database.connectionString })

beforeAll(async () => {
  database = await createTestDatabase()
  directory = mkdtempSync(join(tmpdir(), 'tokenledger-cli-'))
  // None of five days, in which the prune ends: a midnight meanwhile changes nothing of what lies before.
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    select now() - (n + case when n < 60 then 0 else 5 end) * interval '1 day', case when n % 2 = 0 then $1 else 'bob@example.com' end, 'm', 1, 1, 'chat'
    from generate_series(0, 99) as n`,
    [ann],
  )
})
afterAll(async () => {
  await database.drop()
  rmSync(directory, { recursive: true })
})

test.each([
  [['prune', '--older-than', '90']],
  [['erase', '--user', ann, '--verify', '--dry-run']],
  [['export', '--user', ann, '--csv', '--json']],
])('a command line that is not understood (%j) exits with 2', async (args) => {
  const { code, stdout } = await run(...args)

  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
})

test.each([[['prune', '--older-than', '30d']], [['erase', '--user', ann]]])(
  'without a terminal nobody is asked, the flag is named, and nothing is changed (%j)',
  async (args) => {
    const { code, stdout, stderr } = await run(...args)

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^tokenledger: .*no terminal to ask. With --yes it does not ask. Nothing was changed\.\n$/)
    expect(await database.query('select from token_usage_logs')).toHaveLength(100)
  },
)

test.skipIf(!hasTerminal).each([[['prune', '--older-than', '30d']], [['erase', '--user', ann]]])(
  'a no on the terminal exits with 1, and nothing is changed (%j)',
  async (args) => {
    const { code, output } = await runOnTerminal(args, directory, {
      answer: 'no\n',
      DATABASE_URL: database.connectionString,
    })

    expect(code).toBe(1)
    expect(output).toContain('for good? (yes/no) ')
    expect(output).toContain('tokenledger: nothing was changed')
    expect(await database.query('select from token_usage_logs')).toHaveLength(100)
  },
)

// In this order: what is erased is gone for the next test.
test('prune counts, prunes and says what it did', async () => {
  const dryRun = await run('prune', '--older-than', '62d', '--dry-run')
  const live = await run('prune', '--older-than', '62d', '--yes', '--json')

  expect(dryRun.stdout).toMatch(
    /^40 rows, 40 daily sums and 0 dead letters of before \d{4}-\d\d-\d\d to prune, nothing was changed\n$/,
  )
  expect(JSON.parse(live.stdout)).toMatchObject({ rows: 40, dailySums: 40, deadLetters: 0 })
  expect(await database.query('select from token_usage_logs')).toHaveLength(60)
})

test('a user is exported, erased with a receipt, and verified to be gone', async () => {
  const exported = await run('export', '--user', ann)
  const before = await run('erase', '--user', ann, '--verify')
  const dryRun = await run('erase', '--user', ann.toUpperCase(), '--dry-run')
  const receipt = await run('erase', '--user', ann, '--yes')
  const after = await run('erase', '--user', ann, '--verify', '--json')

  expect(JSON.parse(exported.stdout).token_usage_logs).toHaveLength(30)
  expect(before).toMatchObject({ code: 3, stdout: expect.stringContaining('30 left') })
  expect(dryRun.stdout).toBe(`30 rows, 30 daily sums, 0 dead letters (stored as "${ann}"); nothing was changed\n`)
  expect(receipt.stdout).toMatch(/^erased {8}\d{4}-.*\nuser hash {5}[0-9a-f]{64}\nrows {10}30\ndaily sums {4}30\n/)
  expect(receipt.stdout).not.toContain(ann)
  expect(after.code).toBe(0)
  expect(JSON.parse(after.stdout)).toMatchObject({ rows: 0, dailySums: 0, mentions: 0, isComplete: true })
})

test('verify tells of what keeps rows out', async () => {
  const { stdout } = await run('verify')

  expect(stdout).toMatch(/\npruned {8}rows of before \d{4}-.*; 0 came too late and were refused\n/)
  expect(stdout).toContain('\nerased        1 erasures of users; 0 rows of theirs came later and were refused\n')
})
