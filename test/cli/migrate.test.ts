import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { runCli } from './run-cli.js'

const names = (await readdir('sql/migrations')).sort()

let database: TestDatabase
let directory: string

beforeEach(async () => {
  database = await createTestDatabase({ template: 'empty' })
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-cli-'))
})
afterEach(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

test('eight processes that start at once migrate once, and all succeed', async () => {
  const environment = { DATABASE_URL: database.connectionString }

  const runs = await Promise.all(Array.from({ length: 8 }, () => runCli(['migrate', '--json'], directory, environment)))

  expect(runs.map(({ code }) => code)).toEqual(Array(8).fill(0))
  const applied = runs.map(({ stdout }) => JSON.parse(stdout).applied)
  expect(applied.filter((list) => list.length > 0)).toEqual([names])
})

test('the result goes to stdout, and what happens meanwhile to stderr', async () => {
  const { code, stdout, stderr } = await runCli(['migrate', '--time-zone', 'Europe/Berlin'], directory, {
    DATABASE_URL: database.connectionString,
  })

  expect(code).toBe(0)
  expect(stdout).toBe(
    `applied ${names.join(', ')}; ${names.length} migrations in all, reporting time zone Europe/Berlin\n`,
  )
  expect(stderr).toContain('tokenledger: applying 0001-original-table.sql\n')
})

test('DATABASE_URL is read from .env', async () => {
  await writeFile(join(directory, '.env'), `DATABASE_URL=${database.connectionString}\n`)

  const { code, stdout } = await runCli(['migrate', '--json'], directory)

  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({ applied: names, alreadyApplied: 0, timeZone: 'UTC' })
})

test('without DATABASE_URL one line says what to do', async () => {
  const run = await runCli(['migrate'], directory)

  expect(run).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'tokenledger: DATABASE_URL is not set. Set it, or write it into .env: DATABASE_URL=postgres://user:password@host:5432/database\n',
  })
})

test.each(['postgres://someone:hunter2@127.0.0.1:1/nowhere', 'mysql://someone:hunter2@127.0.0.1/nowhere'])(
  'a failure is one line without the connection string (%#)',
  async (url) => {
    const { code, stdout, stderr } = await runCli(['migrate'], directory, { DATABASE_URL: url })

    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^tokenledger: [^\n]+\n$/)
    expect(stderr).not.toContain('hunter2')
  },
)

test.each([[['migrate', '--zone', 'UTC']], [['migrate', 'now']], [['transmogrify']], [[]]])(
  'a command line that is not understood (%j) exits with 2 and writes to stderr only',
  async (args) => {
    const { code, stdout, stderr } = await runCli(args, directory)

    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).not.toBe('')
  },
)

test('help exits with 0 and goes to stdout', async () => {
  const { code, stdout } = await runCli(['--help'], directory)

  expect(code).toBe(0)
  expect(stdout).toContain('migrate [options]')
})
