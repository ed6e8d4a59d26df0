import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { type CliRun, runCli } from './run-cli.js'
import { hasTerminal, runOnTerminal } from './run-on-terminal.js'

let database: TestDatabase
let directory: string

const environment = () => ({ DATABASE_URL: database.connectionString })
const run = (...args: string[]): Promise<CliRun> =>
  runCli(['split-counts', '--table', 'llm_messages', ...args], directory, environment())

beforeAll(async () => {
  database = await createTestDatabase({ template: 'empty' })
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-cli-'))
})
beforeEach(async () => {
  await database.query('drop table if exists llm_messages')
  await database.query(
    `create table llm_messages (id serial primary key, role text, "tokenCount" int, "tokenCost" numeric(12,6))`,
  )
  await database.query(
    `insert into llm_messages (role, "tokenCount", "tokenCost") values ('user', 120, 0.1), ('assistant', 400, 0.3)`,
  )
})
afterAll(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

const isSplit = async (): Promise<boolean> =>
  (
    await database.query(
      `select from pg_attribute where attrelid = 'llm_messages'::regclass and attname = 'token_count_input'`,
    )
  ).length > 0

test('with --yes it splits, drops and rolls back, and says what the sums are', async () => {
  const split = await run('--yes')
  const again = await run('--yes')
  const dropped = await run('--yes', '--drop-old', '--json')
  const restored = await run('--yes', '--rollback')

  expect(split.stdout.split('\n')).toEqual([
    'role       rows  token_count_input  token_count_output  token_cost_input  token_cost_output',
    'assistant     1                  0                 400          0.000000           0.300000',
    'user          1                120                   0          0.100000           0.000000',
    'total         2                120                 400          0.100000           0.300000',
    '2 rows of public.llm_messages split; the sums per role and in total are those of before',
    '',
  ])
  expect(split).toMatchObject({
    code: 0,
    stderr: 'public.llm_messages: 2 rows are split. The table is locked until that is done.\n',
  })
  expect(again).toEqual({ code: 0, stdout: 'nothing to do: public.llm_messages is split already\n', stderr: '' })
  expect(JSON.parse(dropped.stdout)).toMatchObject({ done: 'dropped', droppedColumns: ['tokenCount', 'tokenCost'] })
  expect(restored.stdout).toContain('2 rows of public.llm_messages have their old counts back')
  expect(await isSplit()).toBe(false)
})

test('without a terminal it changes nothing and names the flag', async () => {
  const { code, stdout, stderr } = await run()

  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('there is no terminal to ask. With --yes it does not ask. Nothing was changed.\n')
  expect(await isSplit()).toBe(false)
})

test.skipIf(!hasTerminal).each([
  ['yes', 0],
  ['no', 1],
] as const)('on a terminal it asks; the answer "%s" exits with %i', async (answer, expected) => {
  const { code, output } = await runOnTerminal(['split-counts', '--table', 'llm_messages'], directory, {
    answer: `${answer}\n`,
    ...environment(),
  })

  expect(output).toContain('Are you sure you want to proceed? (yes/no) ')
  expect(code).toBe(expected)
  expect(await isSplit()).toBe(expected === 0)
})

test('--print-sql prints the statements and changes nothing', async () => {
  const { code, stdout } = await run('--print-sql')

  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^begin;\n\nlock table "public"\."llm_messages" in access exclusive mode;\n\nalter table [\s\S]*\ncommit;\n$/,
  )
  expect(await isSplit()).toBe(false)
  await database.query(stdout)
  expect(await isSplit()).toBe(true)
})

test.each([[['--rollback', '--drop-old']], [['--unknown-role', 'both']]])(
  'a command line that is not understood (%j) exits with 2',
  async (args) => {
    const { code, stdout } = await run(...args)

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  },
)
