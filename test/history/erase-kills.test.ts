import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { verifyErasure } from '../../src/history/verify-erasure.js'
import { verify } from '../../src/postgres/verify.js'
import { bundleScript } from '../support/bundle-script.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const ann = 'ann@example.com'
const rows = 20_000

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase()
  await database.query(
    `insert into token_usage_logs
      (event_id, timestamp, user_email, model_name, input_tokens, output_tokens, request_type, cost_estimate)
    select
      gen_random_uuid(), now() - n * interval '5 minutes', case when n % 2 = 0 then $2 else 'u' || n % 50 end,
      'm' || n % 3, n, 1, 'chat', 0.1
    from generate_series(1, $1::int) as n`,
    [rows, ann],
  )
})
afterEach(() => database.drop())

/** Starts a command and ends it with SIGKILL when `isTime` says so; resolves when the server has noticed. */
async function killDuring(args: string[], isTime: () => Promise<boolean>): Promise<void> {
  const child = spawn(process.execPath, [bundleScript('src/cli/main.ts'), ...args], {
    env: { PATH: process.env.PATH, DATABASE_URL: database.connectionString },
    stdio: 'ignore',
  })
  const exited = once(child, 'exit')
  while (child.exitCode === null && !(await isTime())) await sleep(2)
  child.kill('SIGKILL')
  await exited
  while ((await activity()).length > 0) await sleep(10)
}

const activity = () =>
  database.query(
    `select query from pg_stat_activity where application_name = 'tokenledger' and datname = current_database()`,
  )
const runs = (pattern: RegExp) => async () => (await activity()).some(({ query }) => pattern.test(query))

test.each([
  ['deletes', /delete from token_usage_logs/, []],
  ['renames', /update token_usage_logs/, ['--anonymize']],
  ['writes the tombstone', /insert into token_erasures/, []],
])('an erasure that is killed while it %s has happened as a whole or not at all', async (_moment, pattern, flags) => {
  const [sums] = await database.query('select count(*)::int as sums from token_usage_daily where user_email = $1', [
    ann,
  ])
  await killDuring(['erase', '--user', ann, '--yes', ...flags], runs(pattern))

  const [tombstones, left] = [
    await database.query('select from token_erasures'),
    await verifyErasure(database.pool, ann),
  ]
  const whole = { rows: rows / 2, dailySums: sums?.sums }
  expect(left).toMatchObject(tombstones.length === 0 ? whole : { rows: 0, dailySums: 0 })
  expect(await verify(database.pool)).toMatchObject({ differences: 0 })
})

test.each([[[]], [['--keep-daily']]])(
  'a prune (%j) that is killed has pruned whole chunks, and is gone on with',
  async (flags) => {
    const args = ['prune', '--older-than', '30d', '--yes', ...flags]
    const [before] = await database.query(
      'select count(*)::int as sums, sum(requests)::int as requests from token_usage_daily',
    )
    const hasBegun = async () => (await database.query('select count(*)::int as n from token_usage_logs'))[0]?.n < rows
    await killDuring(args, hasBegun)
    const between = await verify(database.pool)

    await killDuring(args, async () => false)

    const after = await verify(database.pool)
    const [kept] = await database.query('select sum(requests)::int as requests from token_usage_daily')
    expect(between).toMatchObject({ differences: 0 })
    expect(after).toMatchObject({ differences: 0, refusals: { unprunedRows: 0 } })
    expect(after.rows).toBeLessThan(rows / 2)
    expect(kept?.requests).toBe(flags.length > 0 ? before?.requests : after.rows)
  },
)
