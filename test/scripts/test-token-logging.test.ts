import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const unbuilt = mkdtempSync(join(tmpdir(), 'tokenledger-unbuilt-'))
const built = mkdtempSync(join(tmpdir(), 'tokenledger-built-'))
let database: TestDatabase | undefined

beforeAll(async () => {
  for (const directory of [unbuilt, built]) {
    mkdirSync(join(directory, 'scripts'))
    cpSync(join(root, 'scripts/test-token-logging.js'), join(directory, 'scripts/test-token-logging.js'))
    cpSync(join(root, 'package.json'), join(directory, 'package.json'))
  }
  symlinkSync(join(root, 'node_modules'), join(built, 'node_modules'))
  buildSync({ absWorkingDir: root, entryPoints: ['src/**/*.ts'], outdir: join(built, 'dist'), outbase: 'src' })
})

afterEach(async () => {
  await database?.drop()
  database = undefined
})

afterAll(() => {
  for (const directory of [unbuilt, built]) rmSync(directory, { recursive: true })
})

describe('scripts/test-token-logging.js', () => {
  it('passes every step, and leaves the tables as they were', async () => {
    database = await createTestDatabase()
    await database.query(
      `insert into token_usage_logs (user_email, model_name, input_tokens, output_tokens, request_type)
       values ('ann@example.com', 'gpt-4o', 3, 4, 'chat')`,
    )
    const sums = await database.query('select * from token_usage_daily')

    const { code, lines } = await selfTest({ DATABASE_URL: database.connectionString, TOKEN_LOGGING_ENABLED: 'true' })

    expect(lines.map((line) => line.split(':')[0])).toEqual([
      ...['build', 'environment', 'settings', 'connection', 'table', 'write', 'read back', 'remove'].map(
        (name) => `PASS  ${name}`,
      ),
      'Token logging works here.',
    ])
    expect(code).toBe(0)
    expect(await database.query('select user_email from token_usage_logs')).toEqual([{ user_email: 'ann@example.com' }])
    expect(await database.query('select * from token_usage_daily')).toEqual(sums)
  })

  it('warns where logging is off, and tests it all the same', async () => {
    database = await createTestDatabase()

    const { code, lines } = await selfTest({ DATABASE_URL: database.connectionString })

    expect(code).toBe(0)
    expect(lines).toContainEqual(expect.stringMatching(/^WARN .*TOKEN_LOGGING_ENABLED is off/))
    expect(lines).toContainEqual(expect.stringMatching(/^PASS {2}write/))
    expect(lines.at(-1)).toBe('Token logging would work here, but it is off.')
  })

  it('reads a .env file, and fails for a setting that cannot be used', async () => {
    database = await createTestDatabase()
    writeFileSync(join(built, '.env'), `DATABASE_URL=${database.connectionString}\nTOKEN_LOG_BATCH_SIZE=ten\n`)

    const { code, lines } = await selfTest({}).finally(() => rmSync(join(built, '.env')))

    expect(code).toBe(1)
    expect(lines).toContainEqual(expect.stringMatching(/^FAIL {2}environment: TOKEN_LOG_BATCH_SIZE is "ten"/))
    expect(lines).toContainEqual(expect.stringMatching(/^PASS {2}remove: 2 rows/))
  })

  it('says how to make the tables where they are missing', async () => {
    database = await createTestDatabase({ template: 'empty' })

    const { code, lines } = await selfTest({ DATABASE_URL: database.connectionString })

    expect(code).toBe(1)
    expect(lines).toContainEqual(expect.stringMatching(/^FAIL {2}table: .*missing.*dist\/cli\/main\.js migrate$/))
  })

  it('tells a row that came back changed, and removes it', async () => {
    database = await createTestDatabase()
    await database.query(
      `create function halve() returns trigger language plpgsql as $$
       begin new.input_tokens = new.input_tokens / 2; return new; end $$`,
    )
    await database.query('create trigger halve before insert on token_usage_logs for each row execute function halve()')

    const { code, lines } = await selfTest({ DATABASE_URL: database.connectionString })

    expect(code).toBe(1)
    expect(lines).toContainEqual(
      expect.stringMatching(/^FAIL {2}read back: .*chat row: input_tokens is 617 instead of 1234/),
    )
    expect(await database.query('select from token_usage_logs')).toEqual([])
  })

  it('says why rows could not be written', async () => {
    database = await createTestDatabase()
    await database.query('alter table token_usage_logs drop column event_id cascade')
    await database.query('alter table token_usage_logs add column event_id text')

    const { code, lines } = await selfTest({ DATABASE_URL: database.connectionString })

    expect(code).toBe(1)
    expect(lines).toContainEqual(expect.stringMatching(/^FAIL {2}write: 0 of 2 rows were written: .*\(42/))
  })

  it('asks for a database where none is set', async () => {
    const { code, lines } = await selfTest({})

    expect(code).toBe(1)
    expect(lines).toContainEqual(expect.stringMatching(/^FAIL {2}settings: DATABASE_URL is not set/))
  })

  it.each([
    ['nobody listens', 'postgres://ann:topsecret@127.0.0.1:1/usage', /^FAIL {2}connection: .*ECONNREFUSED/],
    ['the URL cannot be read', 'postgres://ann:topsecret#1@db.example/usage', /^FAIL {2}settings: .*percent-encoded/],
  ])('never shows the password, here when %s', async (_when, url, expected) => {
    const { code, lines } = await selfTest({ DATABASE_URL: url })

    expect(code).toBe(1)
    expect(lines).toContainEqual(expect.stringMatching(expected))
    expect(lines.join('\n')).not.toContain('topsecret')
  })

  it('asks for the build where there is none', async () => {
    const { code, lines } = await selfTest({}, unbuilt)

    expect(code).toBe(1)
    expect(lines[0]).toBe('FAIL  build: dist/ is missing. Next: run: npm run build')
  })
})

async function selfTest(environment: Record<string, string>, directory = built) {
  const { code, output } = await execute(['scripts/test-token-logging.js'], directory, environment)
  return { code, lines: output.trim().split('\n') }
}

function execute(args: string[], cwd: string, environment: Record<string, string>) {
  const env = { PATH: process.env.PATH, ...environment }
  return new Promise<{ code: number; output: string }>((resolve) => {
    execFile(process.execPath, args, { cwd, env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr })
    })
  })
}
