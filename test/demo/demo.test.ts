import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { bundleScript } from '../support/bundle-script.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

describe('the demo', () => {
  it('makes 200 calls, finds each of them in its row, and prints one JSON document', async () => {
    const database = await openDatabase()
    await insertForeignRow(database)

    const { code, stdout } = await runToEnd(['--json'], { DATABASE_URL: database.connectionString })

    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(JSON.parse(stdout)).toEqual({
      ...{ calls: 200, rows: 200, missing: 0, duplicated: 0, different: 0 },
      statuses: { ok: 164, aborted: 36, error: 0 },
      costs: {
        priced: expect.any(Number),
        unpriced: expect.any(Number),
        costUsd: expect.stringMatching(/^0\.\d+$/),
        unpricedModels: ['claude-haiku-5-5', 'dall-e-3'],
      },
      elapsedMs: expect.any(Number),
    })
    expect(code).toBe(0)
    const sources = 'select usage_source as source, count(*)::int from token_usage_logs group by 1 order by 1'
    expect(await database.query(sources)).toEqual([
      { source: 'estimated', count: 36 },
      { source: 'fixed', count: 16 },
      { source: 'provider', count: 148 },
      { source: null, count: 1 },
    ])
  }, 180_000)

  it('fails when the database loses, changes and repeats rows, and tells which', async () => {
    const database = await openDatabase()
    await database.query(falsifyingTriggers)

    const { code, stdout, stderr } = await runToEnd([], { DATABASE_URL: database.connectionString })

    expect(stdout.trimEnd().split('\n').at(-1)).toBe(
      '200 calls made, 200 rows written, 1 missing, 1 duplicated, 1 different',
    )
    expect(stderr).toMatch(/-001: no row for this call/)
    expect(stderr).toMatch(/-002: inputTokens is \d+ instead of \d+/)
    expect(stderr).toMatch(/-003: a row too many/)
    expect(code).toBe(1)
  }, 180_000)

  it('stops at Ctrl-C with what it logged written, and runs again on the same embedded server', async () => {
    const directory = createDirectory()
    const lock = join(directory, '.data/postgres/data/postmaster.pid')
    const first = run([], {}, directory)
    await waitFor(first.child, /50 of 200 calls/)

    const hadServer = existsSync(lock)
    first.child.kill('SIGINT')
    const broken = await first.ended
    const hasServer = existsSync(lock)
    const again = await run([], {}, directory).ended

    expect({ hadServer, hasServer }).toEqual({ hadServer: true, hasServer: false })
    expect(broken).toMatchObject({ code: 130, stdout: '' })
    const written = Number(/broken off; (\d+) rows were written/.exec(broken.stderr)?.[1])
    expect(written).toBeGreaterThanOrEqual(50)
    expect(again.stdout).toMatch(/\n200 calls made, 200 rows written, 0 missing, 0 duplicated, 0 different\n$/)
    expect(again.code).toBe(0)
    expect(sumOfRequests(again.stdout)).toBe(200 + written)
    expect(existsSync(lock)).toBe(false)
  }, 300_000)

  it.each([
    [0, '--help', /^Usage: .*--json.*Exit codes/s, /^$/],
    [2, '--jsno', /^$/, /unknown option '--jsno'/],
    [2, 'json', /^$/, /too many arguments/],
  ])('exits with %i for %s', async (expected, argument, stdoutPattern, stderrPattern) => {
    const { code, stdout, stderr } = await runToEnd([argument], {})

    expect(code).toBe(expected)
    expect(stdout).toMatch(stdoutPattern)
    expect(stderr).toMatch(stderrPattern)
  })

  it('fails with a sentence where the database does not answer', async () => {
    const { code, stdout, stderr } = await runToEnd([], { DATABASE_URL: 'postgres://ann:secret@127.0.0.1:1/none' })

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^The demo failed: No answer from PostgreSQL.*ECONNREFUSED/m)
    expect(stderr).not.toContain('secret')
  })
})

const falsifyingTriggers = `
  create function falsify() returns trigger language plpgsql as $$ begin
    if new.session_id like '%-001' then return null; end if;
    if new.session_id like '%-002' then new.input_tokens := new.input_tokens + 1; end if;
    return new;
  end $$;
  create function repeat() returns trigger language plpgsql as $$ begin
    if new.session_id like '%-003' and pg_trigger_depth() = 1 then
      insert into token_usage_logs (user_email, model_name, input_tokens, output_tokens, request_type, session_id)
      values (new.user_email, new.model_name, new.input_tokens, new.output_tokens, new.request_type, new.session_id);
    end if;
    return new;
  end $$;
  create trigger falsify before insert on token_usage_logs for each row execute function falsify();
  create trigger repeat after insert on token_usage_logs for each row execute function repeat();`

async function openDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase()
  cleanups.push(() => database.drop())
  return database
}

async function insertForeignRow(database: TestDatabase): Promise<void> {
  await database.query(
    `insert into token_usage_logs (user_email, model_name, input_tokens, output_tokens, request_type, session_id)
     values ('ann@example.com', 'gpt-5', 3, 4, 'chat', 'demo-of-somebody-else')`,
  )
}

function createDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tokenledger-demo-'))
  // Otherwise the account that runs PostgreSQL for root could not enter it.
  chmodSync(directory, 0o755)
  cleanups.push(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  return directory
}

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

function run(
  args: string[],
  variables: Record<string, string>,
  cwd: string,
): { child: ChildProcess; ended: Promise<Ended> } {
  const { PATH, HOME } = process.env
  const child = spawn(process.execPath, [bundleScript('scripts/demo/main.ts'), ...args], {
    cwd,
    env: { PATH, HOME, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  cleanups.push(() => child.kill('SIGKILL'))
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]) => ({ code, stdout, stderr }),
  )
  return { child, ended }
}

function runToEnd(args: string[], variables: Record<string, string>): Promise<Ended> {
  return run(args, variables, createDirectory()).ended
}

async function waitFor(child: ChildProcess, pattern: RegExp): Promise<void> {
  let seen = ''
  while (!pattern.test(seen)) seen += (await once(child.stderr as Readable, 'data'))[0]
}

/** Of the column of requests in the table of the user activity, over all rows. */
function sumOfRequests(stdout: string): number {
  const table = stdout.slice(stdout.indexOf('User activity'))
  const counts = [...table.matchAll(/@example\.com +([\d,]+)/g)].map(([, count]) => Number(count?.replaceAll(',', '')))
  return counts.reduce((sum, count) => sum + count, 0)
}
