import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { enterPrices } from '../../src/postgres/enter-prices.js'
import { priceOf } from '../pricing/price-timeline.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { type CliRun, runCli } from './run-cli.js'

let database: TestDatabase
let directory: string

const run = (...args: string[]): Promise<CliRun> => runCli(args, directory, { DATABASE_URL: database.connectionString })
const set = (...flags: string[]) => run('prices', 'set', '--provider', 'OpenAI', '--model', 'gpt-4o*', ...flags)

beforeEach(async () => {
  database = await createTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-cli-'))
})
afterEach(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

test('a price is set, says what it ends, and is listed', async () => {
  const first = { ...priceOf({ from: 1, usd: '' }), provider: 'openai', modelPattern: 'gpt-4o*' }
  const usd = { input_per_million: '2.5', cache_read_per_million: '1.25', output_per_million: '10' }
  await enterPrices(database.pool, [{ ...first, usd }])
  const dryRun = await set('--valid-from', '2026-06-01', '--input', '2', '--dry-run')
  const second = await set('--valid-from', '2026-06-01', '--input', '2', '--request', '0.01')
  const list = await run('prices', 'list')

  const lines = [
    'ends on 2026-06-01  price 1, openai gpt-4o*, from 2026-01-01: input 2.5, cache-read 1.25, output 10',
    'enters  openai gpt-4o*, from 2026-06-01: input 2',
    '1 entered, 1 ended, 0 there already (nothing was changed)',
    '',
  ]
  expect(dryRun).toEqual({ code: 0, stdout: lines.join('\n'), stderr: '' })
  expect(second.code).toBe(0)
  expect(second.stderr).toContain('tokenledger reprice --since 2026-06-01')
  expect(list.stdout.split('\n')).toEqual([
    'id  provider  model    tier  from        to          US dollars for a million tokens',
    '─'.repeat(90),
    ' 1  openai    gpt-4o*  *     2026-01-01  2026-06-01  input 2.5, cache-read 1.25, output 10',
    ' 2  openai    gpt-4o*  *     2026-06-01              input 2, request 0.01',
    '',
  ])
}, 120_000)

test('a file is imported whole or not at all, and again without effect', async () => {
  const header = 'provider,model_pattern,valid_from,valid_to,input_per_million'
  const write = (name: string, ...lines: string[]) =>
    writeFile(join(directory, name), [header, ...lines, ''].join('\n'))
  await write('good.csv', 'openai,m,2026-01-01,,1', 'openai,m,2026-02-01,,2')
  await write('wrong.csv', 'openai,n,2026-01-01,,1', 'openai,n,2026-02-01,,-2')
  await write('overlapping.csv', 'openai,n,2026-01-01,,1', 'openai,m,2025-12-01,2026-01-02,1')

  const imported = await run('prices', 'import', 'good.csv')
  const wrong = await run('prices', 'import', 'wrong.csv')
  const overlapping = await run('prices', 'import', 'overlapping.csv')
  const exported = await run('prices', 'list', '--json')
  await writeFile(join(directory, 'all.json'), exported.stdout)
  const again = await run('prices', 'import', 'all.json', '--json')

  expect(imported.stdout).toContain('2 entered, 0 ended, 0 there already\n')
  expect(wrong).toMatchObject({ code: 1, stdout: '' })
  expect(wrong.stderr).toMatch(
    /^tokenledger: Nothing was entered:\n {2}line 3: input_per_million is "-2"; it has to be .+\n$/,
  )
  expect(overlapping).toEqual({
    code: 1,
    stdout: '',
    stderr: 'tokenledger: Nothing was entered:\n  line 3: it overlaps a price that begins 2026-01-01, before it ends\n',
  })
  expect(JSON.parse(again.stdout)).toEqual({ entered: [], ended: [], unchanged: 2 })
}, 120_000)

test('the models with unpriced calls are listed, and those whose tokens nobody knows are told apart', async () => {
  await database.query(`
    insert into token_usage_logs
      (timestamp, user_email, provider, model_name, input_tokens, output_tokens, request_type, cost_estimate, usage_source)
    values
      ('2026-05-06 12:00Z', 'u', 'openai', 'new-model', 1000, 5, 'chat', null, 'provider'),
      ('2026-05-07 12:00Z', 'u', 'openai', 'new-model', 0, 0, 'chat', 'NaN', 'unknown'),
      ('2026-05-06 12:00Z', 'u', null, E'odd\\u001b[2J', 1, 2, 'chat', null, null),
      ('infinity', 'u', 'openai', 'never', 3, 4, 'chat', null, 'provider'),
      ('2026-05-06 12:00Z', 'u', 'openai', 'priced', 1, 2, 'chat', 0, 'provider')`)

  const table = await run('prices', 'unpriced')
  const json = await run('prices', 'unpriced', '--json')

  expect(table.stdout.split('\n').slice(3)).toEqual([
    'openai    new-model      2        1   1,000       5  2026-05-06 12:00  2026-05-07 12:00',
    'openai    never          1        0       3       4',
    '          odd?[2J        1        0       1       2  2026-05-06 12:00  2026-05-06 12:00',
    '',
  ])
  expect(JSON.parse(json.stdout)[0]).toEqual({
    provider: 'openai',
    modelName: 'new-model',
    calls: 2,
    unknown: 1,
    inputTokens: 1000,
    outputTokens: 5,
    firstAt: '2026-05-06T12:00:00.000000Z',
    lastAt: '2026-05-07T12:00:00.000000Z',
  })
})

test('a database that is not migrated is told so in one line', async () => {
  const empty = await createTestDatabase({ template: 'empty' })

  const { code, stdout, stderr } = await runCli(['prices', 'list'], directory, { DATABASE_URL: empty.connectionString })
  await empty.drop()

  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toBe(
    'tokenledger: The database cannot be used: a usage table is missing; run tokenledger migrate (42P01)\n',
  )
})
