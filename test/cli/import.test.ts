import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { type CliRun, runCli } from './run-cli.js'

let database: TestDatabase
let directory: string

const run = (...args: string[]): Promise<CliRun> =>
  runCli(['import', ...args], directory, { DATABASE_URL: database.connectionString })

beforeAll(async () => {
  database = await createTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-cli-'))
})
beforeEach(() => database.query('truncate token_usage_logs'))
afterAll(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

const good = '{"timestamp":"2025-03-04T05:06:07Z","modelName":"m","inputTokens":1,"outputTokens":2}'

test('a file is imported once; bad lines go to a file with their reasons, and exit with 3', async () => {
  await writeFile(join(directory, 'calls.ndjson'), `${good}\n{"modelName":7}\n${good}\n`)

  const dryRun = await run('calls.ndjson', '--dry-run', '--reject-file', 'bad.ndjson')
  const first = await run('calls.ndjson')
  const second = await run('calls.ndjson', '--json')

  expect(dryRun).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('imported  2 (dry run, nothing was imported)\n'),
  })
  expect(first).toEqual({
    code: 3,
    stdout: 'read      3\nimported  2\npresent   0\nrejected  1, with their reasons in calls.ndjson.rejected.ndjson\n',
    stderr: '',
  })
  expect(JSON.parse(second.stdout)).toEqual({ mode: 'run', read: 3, imported: 0, present: 2, rejected: 1, refused: 0 })
  const rejected = join(directory, 'calls.ndjson.rejected.ndjson')
  expect((await stat(rejected)).mode & 0o777).toBe(0o600)
  expect(JSON.parse(await readFile(rejected, 'utf8'))).toEqual({
    line: 2,
    reason: 'timestamp is missing; inputTokens is missing; outputTokens is missing',
    text: '{"modelName":7}',
  })
})

test('a reject file that others could read is theirs no longer, and a link is not followed', async () => {
  await writeFile(join(directory, 'calls.ndjson'), '{}\n')
  await writeFile(join(directory, 'open.ndjson'), 'old', { mode: 0o644 })
  await writeFile(join(directory, 'target'), 'of somebody else')
  await symlink('target', join(directory, 'link.ndjson'))

  const open = await run('calls.ndjson', '--reject-file', 'open.ndjson')
  const link = await run('calls.ndjson', '--reject-file', 'link.ndjson')

  expect(open.code).toBe(3)
  expect((await stat(join(directory, 'open.ndjson'))).mode & 0o777).toBe(0o600)
  expect(await readFile(join(directory, 'open.ndjson'), 'utf8')).toMatch(/^\{"line":1,/)
  expect(link).toEqual({
    code: 1,
    stdout: '',
    stderr: 'tokenledger: "link.ndjson" cannot be written (ELOOP); --reject-file names another.\n',
  })
  expect(await readFile(join(directory, 'target'), 'utf8')).toBe('of somebody else')
})

test('a CSV is imported with its columns mapped', async () => {
  await writeFile(join(directory, 'calls.csv'), 'at,model,input_tokens,output_tokens\n2025-03-04,m,1,2\n')

  const result = await run('calls.csv', '--map', 'at=timestamp', '--map', 'model=model_name')

  expect(result).toEqual({ code: 0, stdout: 'read      1\nimported  1\npresent   0\nrejected  0\n', stderr: '' })
})

test('the spend log of LiteLLM is read from the same database, or from another', async () => {
  const other = await createTestDatabase({ template: 'empty' })
  for (const { query } of [database, other]) {
    await query(
      `create table "LiteLLM_SpendLogs" (request_id text primary key, "startTime" timestamp, model text, prompt_tokens int, completion_tokens int, spend float8)`,
    )
  }
  await database.query(`insert into "LiteLLM_SpendLogs" values ('a', now(), 'm', 1, 2, 0.1)`)
  await other.query(`insert into "LiteLLM_SpendLogs" values ('b', now(), 'm', 1, 2, 0.1), ('c', now(), 'm', 1, 2, 0.1)`)

  const same = await run('--format', 'litellm', '--json')
  const apart = await runCli(['import', '--format', 'litellm', '--json'], directory, {
    DATABASE_URL: database.connectionString,
    LITELLM_DATABASE_URL: other.connectionString,
  })
  await other.drop()

  expect(JSON.parse(same.stdout)).toMatchObject({ read: 1, imported: 1 })
  expect(JSON.parse(apart.stdout)).toMatchObject({ read: 2, imported: 2 })
})

test('what cannot be read is one line', async () => {
  const missing = await run('nothing.csv')
  const folder = await run('.', '--format', 'ndjson')

  expect(missing).toEqual({ code: 1, stdout: '', stderr: 'tokenledger: "nothing.csv" cannot be read (ENOENT).\n' })
  expect(folder).toEqual({ code: 1, stdout: '', stderr: 'tokenledger: "." cannot be read (EISDIR).\n' })
})

test.each([[['calls.txt']], [['x.csv', '--map', 'a']]])(
  'a command line that is not understood (%j) exits with 2',
  async (args) => {
    const { code, stdout, stderr } = await run(...args)

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('error: ')
  },
)
