import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { runCli } from '../cli/run-cli.js'
import { bundleScript } from '../support/bundle-script.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'

const gate = 4711

let database: TestDatabase
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-kills-'))
})
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())
afterAll(() => rm(directory, { recursive: true }))

const environment = () => ({ DATABASE_URL: database.connectionString })

/** Whoever writes the row for which the condition holds waits at a gate. */
async function createGate(table: string, event: 'insert' | 'update', condition: string): Promise<void> {
  await database.query(
    `create function wait_at_gate() returns trigger language plpgsql as
    'begin if ${condition} then perform pg_advisory_xact_lock(${gate}); end if; return new; end'`,
  )
  await database.query(`create trigger gate before ${event} on ${table} for each row execute function wait_at_gate()`)
}

/** Kills the command with SIGKILL while it waits there, and opens the gate when its session is all that is left of it. */
async function killAtGate(args: string[]): Promise<void> {
  const keeper = await database.pool.connect()
  await keeper.query(`select pg_advisory_lock(${gate})`)
  const child = spawn(process.execPath, [bundleScript('src/cli/main.ts'), ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH, ...environment() },
    stdio: 'ignore',
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  await untilBlocked(database)
  child.kill('SIGKILL')
  await ended
  await keeper.query(`select pg_advisory_unlock(${gate})`)
  keeper.release()
  while ((await findSessions()).length > 0) await sleep(10)
}

const findSessions = () =>
  database.query(`select from pg_stat_activity where datname = current_database() and application_name = 'tokenledger'`)

test('split-counts that is killed in the middle has changed nothing, and does all of it the next time', async () => {
  await database.query('create table llm_messages (id serial primary key, role text, "tokenCount" int)')
  await database.query(
    `insert into llm_messages (role, "tokenCount") select 'user', n from generate_series(1, 100) as n`,
  )
  await createGate('llm_messages', 'update', 'new.id = 50')
  const args = ['split-counts', '--table', 'llm_messages', '--drop-old', '--yes']

  await killAtGate(args)
  const columns = await database.query(
    `select string_agg(attname, ' ' order by attnum) as names from pg_attribute where attrelid = 'llm_messages'::regclass and attnum > 0 and not attisdropped`,
  )
  const { code } = await runCli(args, directory, environment())

  expect(columns).toEqual([{ names: 'id role tokenCount' }])
  expect(code).toBe(0)
  expect(await database.query('select sum(token_count_input)::int as sum from llm_messages')).toEqual([{ sum: 5050 }])
})

test('a backfill that is killed in the middle has changed no count, quota or log, and does all of it the next time', async () => {
  await database.query(
    'create table prompts (id serial primary key, user_id text, prompt text, tokens_used int, timestamp timestamptz)',
  )
  await database.query('create table quotas (user_id text primary key, used_today int)')
  await database.query(`insert into quotas values ('ada', 0)`)
  await database.query(
    `insert into prompts (user_id, prompt, timestamp) select 'ada', 'hello', timestamptz '2026-01-01' - n * interval '1 day' from generate_series(1, 100) as n`,
  )
  await createGate('prompts', 'update', 'new.id = 55')
  const args = [
    'backfill',
    '--table',
    'prompts',
    '--tokens-column',
    'tokens_used',
    '--quota-table',
    'quotas',
    '--into-log',
    '--yes',
  ]
  const state = () =>
    database.query(
      `select (select count(*) from prompts where tokens_used = 10)::int as filled, (select used_today from quotas) as quota,
        (select count(*) from token_usage_logs)::int as logged`,
    )

  await killAtGate(args)
  const killed = await state()
  const { code } = await runCli(args, directory, environment())

  expect(killed).toEqual([{ filled: 0, quota: 0, logged: 0 }])
  expect(code).toBe(0)
  expect(await state()).toEqual([{ filled: 100, quota: 1000, logged: 100 }])
})

test('an import that is killed in the middle has stored nothing, and stores all of it the next time', async () => {
  const lines = Array.from({ length: 1200 }, (_, n) =>
    JSON.stringify({ timestamp: '2025-03-04T05:06:07Z', modelName: 'm', inputTokens: n, outputTokens: 2 }),
  )
  await writeFile(join(directory, 'calls.ndjson'), lines.join('\n'))
  await createGate('token_usage_logs', 'insert', 'new.input_tokens = 600')
  const state = () =>
    database.query(
      `select (select count(*) from token_usage_logs)::int as rows, (select coalesce(sum(requests), 0) from token_usage_daily)::int as requests`,
    )

  await killAtGate(['import', 'calls.ndjson'])
  const killed = await state()
  const { code } = await runCli(['import', 'calls.ndjson'], directory, environment())

  expect(killed).toEqual([{ rows: 0, requests: 0 }])
  expect(code).toBe(0)
  expect(await state()).toEqual([{ rows: 1200, requests: 1200 }])
})
