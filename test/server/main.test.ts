import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it } from 'vitest'
import { bundleScript } from '../support/bundle-script.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'

const TOKEN = 'a-token-that-nobody-guesses'
const cleanups: (() => unknown)[] = []

type Line = { readonly level: number; readonly msg: string; readonly port?: number }

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

describe('the web process', () => {
  it('serves the reports of DATABASE_URL, exact numbers as numbers', async () => {
    const database = await openDatabase()
    await database.query(
      `insert into token_usage_logs (user_email, model_name, input_tokens, output_tokens, request_type)
       values ('ann@example.com', 'gpt-4o', 2000000000, 5, 'chat'), ('ann@example.com', 'gpt-4o', 2000000000, 7, 'chat')`,
    )
    const app = run({ DATABASE_URL: database.connectionString, TOKENLEDGER_ADMIN_TOKEN: TOKEN })

    const response = await app.get('/api/reports/most-used-models', { authorization: `Bearer ${TOKEN}` })

    expect(await response.json()).toEqual({
      report: 'most-used-models',
      rows: [{ model_name: 'gpt-4o', usage_count: 2, total_input_tokens: 4000000000, total_output_tokens: 12 }],
    })
    expect((await app.get('/api/reports/most-used-models')).status).toBe(401)
    expect((await app.get('/health')).status).toBe(200)
  })

  it('finishes the request in flight at SIGTERM, however many arrive, and exits with 0', async () => {
    const database = await openDatabase()
    const app = run({ DATABASE_URL: database.connectionString, TOKENLEDGER_ADMIN_TOKEN: TOKEN })
    await app.get('/health')
    const blocker = await database.pool.connect()
    await blocker.query('begin; lock table token_usage_logs')
    const response = app.get('/api/reports/most-used-models', { authorization: `Bearer ${TOKEN}` })
    await untilBlocked(database)

    app.child.kill('SIGTERM')
    await app.line(/^shutting down/)
    app.child.kill('SIGTERM')
    app.child.kill('SIGINT')
    await blocker.query('rollback')
    blocker.release()

    expect((await response).status).toBe(200)
    expect(await app.exitCode).toBe(0)
    expect((await app.allLines()).filter(({ msg }) => msg.startsWith('shutting down'))).toHaveLength(1)
  })

  it('runs on the embedded server where there is no DATABASE_URL, and takes it along', async () => {
    const app = run({})

    const response = await app.get('/api/reports/user-activity-summary', await app.authorization())
    const rows = await response.json()
    const anonymous = await app.get('/api/reports/user-activity-summary')
    app.child.kill('SIGINT')

    expect(rows).toEqual({ report: 'user-activity-summary', rows: [] })
    expect(anonymous.status).toBe(401)
    expect(await app.exitCode).toBe(0)
    expect(existsSync(join(app.directory, '.data/postgres/data/PG_VERSION'))).toBe(true)
    expect(existsSync(join(app.directory, '.data/postgres/data/postmaster.pid'))).toBe(false)
  }, 120_000)

  it.each([
    ['beyond loopback', { HOST: '0.0.0.0' }],
    ['on a dyno', { DYNO: 'web.1' }],
  ])('refuses to serve %s without a token', async (_where, environment) => {
    const app = run({ ...environment, DATABASE_URL: 'postgres://127.0.0.1:1/none' })

    expect(await app.exitCode).toBe(1)
    expect(await app.allLines()).toEqual([
      expect.objectContaining({ level: 60, msg: expect.stringContaining('set TOKENLEDGER_ADMIN_TOKEN') }),
    ])
  })

  it('says what to do where its port is taken, and where there are calls already that demo data would mix with', async () => {
    const database = await openDatabase()
    await database.query(
      `insert into token_usage_logs (user_email, model_name, input_tokens, output_tokens, request_type)
       values ('ann@example.com', 'gpt-4o', 1, 1, 'chat')`,
    )
    const first = run({ DATABASE_URL: database.connectionString }, ['--demo-data'])

    const { port } = await first.line(/^listening$/)
    const second = run({ DATABASE_URL: database.connectionString, PORT: String(port) })

    expect((await first.line(/demo-data adds nothing/)).msg).toMatch(/1 calls .* set DATABASE_URL to an empty one/)
    expect(await second.exitCode).toBe(1)
    expect((await second.allLines()).at(-1)).toMatchObject({
      level: 60,
      msg: expect.stringMatching(/^127.0.0.1:\d+ .*set PORT/),
    })
  })

  it('says that the tables are missing, and does not create them', async () => {
    const database = await openDatabase('empty')
    const app = run({ DATABASE_URL: database.connectionString })

    const line = await app.line(/table token_usage_logs is missing/)
    const response = await app.get('/api/reports/most-used-models', await app.authorization())

    expect(line.msg).toContain('run tokenledger migrate')
    expect(response.status).toBe(503)
    expect(await database.query('select from pg_tables where schemaname = $1', ['public'])).toHaveLength(0)
  })

  it('prunes what is older than TOKEN_LOG_RETENTION_DAYS, and keeps the sums where it is told to', async () => {
    const database = await openDatabase()
    await database.query(
      `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
       select now() - n * interval '20 days', 'ann@example.com', 'm', 1, 1, 'chat' from generate_series(0, 3) as n`,
    )
    const app = run({
      DATABASE_URL: database.connectionString,
      TOKEN_LOG_RETENTION_DAYS: '30',
      TOKEN_LOG_RETENTION_KEEP_DAILY: 'true',
    })

    const line = await app.line(/^pruned what is older/)

    expect(line).toMatchObject({ rows: 2, dailySums: 0, deadLetters: 0 })
    expect(await database.query('select from token_usage_logs')).toHaveLength(2)
    expect(await database.query('select from token_usage_daily')).toHaveLength(4)
  })

  it('lives on without its database, and never tells the password', async () => {
    const app = run({ DATABASE_URL: 'postgres://ann:topsecret@127.0.0.1:1/usage' })

    const health = await app.get('/health')
    const report = await app.get('/api/reports/most-used-models', await app.authorization())
    const text = (await health.text()) + (await report.text())
    await app.line(/the database does not answer/)
    app.child.kill('SIGTERM')

    expect([health.status, report.status]).toEqual([503, 503])
    expect(await app.exitCode).toBe(0)
    expect(text + JSON.stringify(await app.allLines())).not.toContain('topsecret')
  })

  it('ends with one line about a DATABASE_URL that cannot be read', async () => {
    const app = run({ DATABASE_URL: 'postgres://ann:topsecret#1@db.example/usage' })

    expect(await app.exitCode).toBe(1)
    const [line, ...others] = await app.allLines()
    expect(line?.msg).toContain('percent-encoded')
    expect(line?.msg).not.toContain('topsecret')
    expect(others).toEqual([])
  })
})

function run(environment: Record<string, string>, flags: readonly string[] = []) {
  const directory = mkdtempSync(join(tmpdir(), 'tokenledger-web-'))
  // The embedded server may run as somebody else, who has to get in.
  chmodSync(directory, 0o755)
  const child = spawn(process.execPath, [bundleScript('src/server/main.ts'), ...flags], {
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exitCode = once(child, 'exit').then(([code]) => code as number | null)
  cleanups.push(() => stop(child, exitCode, directory))
  const output = collectLines(child)
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { port } = await output.line(/^listening$/)
    return fetch(`http://127.0.0.1:${port}${path}`, { headers })
  }
  const authorization = async () => {
    const { msg } = await output.line(/shown only now/)
    return { authorization: `Bearer ${msg.split(': ')[1]}` }
  }
  return { directory, child, exitCode, get, authorization, ...output }
}

function collectLines(child: ChildProcess) {
  const lines: Line[] = []
  const reader = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const closed = once(reader, 'close')
  reader.on('line', (text) => {
    lines.push(JSON.parse(text))
    reader.emit('more')
  })
  const line = async (pattern: RegExp): Promise<Line> => {
    for (;;) {
      const found = lines.find(({ msg }) => pattern.test(msg))
      if (found) return found
      const isOver = await Promise.race([once(reader, 'more').then(() => false), closed.then(() => true)])
      if (isOver) throw new Error(`no line like ${pattern} in ${JSON.stringify(lines)}`)
    }
  }
  return { line, allLines: () => closed.then(() => lines) }
}

async function stop(child: ChildProcess, exitCode: Promise<unknown>, directory: string): Promise<void> {
  if (child.exitCode === null) child.kill('SIGTERM')
  await exitCode
  rmSync(directory, { recursive: true })
}

async function openDatabase(template: 'migrated' | 'empty' = 'migrated'): Promise<TestDatabase> {
  const database = await createTestDatabase({ template })
  cleanups.push(() => database.drop())
  return database
}
