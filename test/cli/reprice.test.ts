import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { prune } from '../../src/history/prune.js'
import { enterPrices } from '../../src/postgres/enter-prices.js'
import { priceOf } from '../pricing/price-timeline.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { type CliRun, runCli } from './run-cli.js'
import { hasTerminal, runOnTerminal } from './run-on-terminal.js'

let database: TestDatabase
let directory: string

const run = (...args: string[]): Promise<CliRun> => runCli(args, directory, { DATABASE_URL: database.connectionString })
const january = ['--since', '2026-01-01', '--until', '2026-02-01']

beforeEach(async () => {
  database = await createTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-cli-'))
  await database.query(`
    insert into token_usage_logs
      (timestamp, user_email, provider, model_name, input_tokens, output_tokens, request_type, cost_estimate, cost_source)
    values
      ('2026-01-02Z', 'u', 'a', 'm', 1000, 0, 'chat', null, null),
      ('2026-01-09Z', 'u', 'a', 'm', 1000, 0, 'chat', 0.5, 'override'),
      ('2026-01-09Z', 'u', 'a', 'm', 1000, 0, 'chat', 0.25, 'provider')`)
  await enterPrices(database.pool, [priceOf({ from: 1, usd: '1.5' }), priceOf({ from: 8, usd: '3' })])
})
afterEach(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

const readCosts = async () =>
  (await database.query('select trim_scale(cost_estimate)::text as cost from token_usage_logs order by id')).map(
    ({ cost }) => cost,
  )

const kept = '1 keep the cost that was reported or entered, $0.25'

test('a dry run shows old and new costs and changes nothing; --yes changes them; a second time there is nothing to do', async () => {
  const dryRun = await run('reprice', ...january, '--dry-run')
  const costs = await readCosts()
  const changed = await run('reprice', ...january, '--yes')
  const again = await run('reprice', ...january, '--yes', '--json')

  expect(dryRun).toMatchObject({ code: 0, stderr: '' })
  const [, title, , ...lines] = dryRun.stdout.split('\n')
  expect(title?.split(/ +/)).toEqual([
    'provider',
    'model',
    'calls',
    'changed',
    'before',
    'after',
    'old',
    'cost',
    'new',
    'cost',
  ])
  expect(lines.map((line) => line.trim().split(/ +/).join(' '))).toEqual([
    'a m 2 2 1 0 $0.5000 $0.0045',
    'all 2 2 1 0 $0.5000 $0.0045',
    '2 of 2 calls would change, from $0.5 to $0.0045 (nothing was changed)',
    kept,
    '',
  ])
  expect(costs).toEqual([null, '0.5', '0.25'])
  expect(changed.stdout).toContain('\n2 of 2 calls changed, from $0.5 to $0.0045 (run 1 of token_reprice_runs)\n')
  expect(await readCosts()).toEqual(['0.0015', '0.003', '0.25'])
  expect(JSON.parse(again.stdout)).toMatchObject({
    since: '2026-01-01T00:00:00.000000Z',
    models: [{ provider: 'a', modelName: 'm' }],
    total: { calls: 2, changed: 0, oldCost: '0.0045', newCost: '0.0045' },
    kept: { calls: 1, cost: '0.25' },
    runId: 2,
  })
}, 120_000)

test('a range without rows exits with 1 and says so', async () => {
  const result = await run('reprice', ...january, '--model', 'gpt', '--yes')

  const stderr = 'tokenledger: There are no rows of gpt from 2026-01-01 to 2026-02-01.\n'
  expect(result).toEqual({ code: 1, stdout: '', stderr })
})

test('sums that outlived their rows stay as they were priced, which is said of a range that has some', async () => {
  await prune(database.pool, { day: '2026-01-05', startsAt: '2026-01-05T00:00:00Z' }, { keepDaily: true })

  const some = await run('reprice', ...january, '--dry-run')
  const none = await run('reprice', '--since', '2026-01-03', '--dry-run', '--json')
  const only = await run('reprice', '--since', '2026-01-01', '--until', '2026-01-03', '--yes')

  const before = (day: string) =>
    `tokenledger: the days before ${day} have only sums, which stay as they were priced; their rows were pruned\n`
  expect(some).toMatchObject({ code: 0, stderr: before('2026-01-05') })
  expect(none).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(none.stdout)).toMatchObject({ onlySumsBefore: null })
  expect(only).toMatchObject({ code: 1, stderr: expect.stringContaining(before('2026-01-05')) })
})

test('without a terminal it shows the costs, names the flag, exits with 1 and changes nothing', async () => {
  const { code, stdout, stderr } = await run('reprice', ...january)

  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('2 of 2 calls would change, from $0.5 to $0.0045 (nothing was changed)')
  expect(stderr).toContain('no terminal to ask. With --yes it does not ask. Nothing was changed.\n')
  expect(await readCosts()).toEqual([null, '0.5', '0.25'])
})

test.skipIf(!hasTerminal)(
  'on a terminal it shows the costs and asks, and changes nothing without a yes',
  async () => {
    const runWith = (answer: string) =>
      runOnTerminal(['reprice', ...january], directory, { answer, DATABASE_URL: database.connectionString })

    const no = await runWith('\n')
    const costs = await readCosts()
    const yes = await runWith('y\n')

    expect(no.code).toBe(1)
    expect(no.output).toContain('2 of 2 calls would change, from $0.5 to $0.0045 (nothing was changed)')
    expect(no.output).toContain('Change 2 rows? (yes/no) ')
    expect(no.output).toContain('tokenledger: nothing was changed')
    expect(costs).toEqual([null, '0.5', '0.25'])
    expect(yes.code).toBe(0)
    expect(yes.output).toContain('2 of 2 calls changed, from $0.5 to $0.0045 (run 1 of token_reprice_runs)')
    expect(await readCosts()).toEqual(['0.0015', '0.003', '0.25'])
  },
  120_000,
)
