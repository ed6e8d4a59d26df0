import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MigrationError } from '../../src/errors.js'
import { migrate } from '../../src/postgres/migrator.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const names = (await readdir('sql/migrations')).sort()

let database: TestDatabase
let directory: string

beforeEach(async () => {
  database = await createTestDatabase({ template: 'empty' })
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-migrations-'))
  await cp('sql/migrations', directory, { recursive: true })
})
afterEach(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

test('an empty database gets every migration once', async () => {
  const first = await migrate(database.connectionString)
  const second = await migrate(database.connectionString)

  expect(first).toEqual({ applied: names, alreadyApplied: 0, timeZone: 'UTC' })
  expect(second).toEqual({ applied: [], alreadyApplied: names.length, timeZone: 'UTC' })
})

test('of eight that migrate at once one does the work and the others find it done', async () => {
  const messages: string[] = []
  const onProgress = (message: string) => void messages.push(message)

  const results = await Promise.all(Array.from({ length: 8 }, () => migrate(database.connectionString, { onProgress })))

  expect(results.map(({ applied }) => applied.length).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, names.length])
  expect(messages.filter((message) => message.startsWith('applying'))).toHaveLength(names.length)
  expect(messages).toContain('another process is migrating; waiting for it to end')
})

test('a migration that was edited after it had been applied is refused by name', async () => {
  await migrate(database.pool, { directory })
  await appendFile(join(directory, '0003-daily-sums.sql'), 'select 1;\n')

  const migration = migrate(database.pool, { directory })

  await expect(migration).rejects.toThrow(MigrationError)
  await expect(migration).rejects.toThrow(/^0003-daily-sums\.sql was edited/)
})

test('a checkout with Windows line ends is the same migration', async () => {
  await migrate(database.pool, { directory })
  for (const name of names) {
    const sql = await readFile(join(directory, name), 'utf8')
    await writeFile(join(directory, name), sql.replaceAll('\n', '\r\n'))
  }

  const { applied } = await migrate(database.pool, { directory })

  expect(applied).toEqual([])
})

test('an applied migration whose file is gone is refused by name', async () => {
  await migrate(database.pool, { directory })
  await rm(join(directory, '0003-daily-sums.sql'))

  const migration = migrate(database.pool, { directory })

  await expect(migration).rejects.toThrow(/^0003-daily-sums\.sql was applied to this database, but the file is missing/)
})

test('a migration that comes after one that was applied already is refused by name', async () => {
  await migrate(database.pool, { directory })
  await writeFile(join(directory, '0002-z.sql'), 'select 1;\n')

  const migration = migrate(database.pool, { directory })

  await expect(migration).rejects.toThrow(/^0002-z\.sql was never applied/)
})

test('an older release finds nothing to do in a newer schema, and says so', async () => {
  await writeFile(join(directory, '9999-later.sql'), 'create table later (id int);\n')
  await migrate(database.pool, { directory })
  const messages: string[] = []

  const result = await migrate(database.pool, { onProgress: (message) => messages.push(message) })

  expect(result.applied).toEqual([])
  expect(messages).toEqual(['the schema is newer than this version of tokenledger: it also has 9999-later.sql'])
})

test('a migration that fails is named, and leaves nothing behind', async () => {
  await writeFile(join(directory, '9999-later.sql'), 'create table later (id int); select * from nowhere;\n')

  const migration = migrate(database.pool, { directory })

  await expect(migration).rejects.toThrow(/^9999-later\.sql: relation "nowhere" does not exist/)
  expect(await database.query("select from pg_class where relnamespace = 'public'::regnamespace")).toEqual([])
})

test('an error tells nothing of the rows', async () => {
  await migrate(database.pool, { directory })
  await database.query(`insert into token_usage_logs (user_email, model_name, input_tokens, output_tokens, request_type)
    values ('secret@example.com', 'm', 1, 1, 'chat'), ('secret@example.com', 'm', 1, 1, 'chat')`)
  await writeFile(join(directory, '9999-later.sql'), 'create unique index on token_usage_logs (user_email);\n')

  const error = await migrate(database.pool, { directory }).catch((reason: unknown) => reason)

  expect(error).toBeInstanceOf(MigrationError)
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('secret@example.com')
  expect((error as Error).cause).toBeUndefined()
})

test('the reporting zone is kept as PostgreSQL spells it, until another is asked for', async () => {
  const changed = await migrate(database.pool, { timeZone: 'europe/berlin' })
  const kept = await migrate(database.pool)

  expect(changed.timeZone).toBe('Europe/Berlin')
  expect(kept.timeZone).toBe('Europe/Berlin')
})

test.each(['Mars/Phobos', 'Foo', '+25', '', "UTC'; drop table token_usage_logs; --"])(
  'the time zone %j is refused by name, and nothing is migrated',
  async (timeZone) => {
    const migration = migrate(database.pool, { timeZone })

    await expect(migration).rejects.toThrow(`PostgreSQL knows no time zone ${JSON.stringify(timeZone)}.`)
    expect(await database.query("select from pg_class where relname like 'token_usage%'")).toEqual([])
  },
)

test('a table that stays locked is tried again, then whoever holds it is named', async () => {
  await database.query(await readFile('sql/simple_token_table.sql', 'utf8'))
  const reader = await database.pool.connect()
  await reader.query("set application_name = 'nightly report'")
  await reader.query("begin; select 'private words' from token_usage_logs")
  const [{ pid } = {}] = (await reader.query<{ pid: number }>('select pg_backend_pid() as pid')).rows
  const messages: string[] = []

  const error: unknown = await migrate(database.pool, { onProgress: (message) => messages.push(message) }).catch(
    (reason) => reason,
  )

  reader.release(true)
  expect(error).toBeInstanceOf(MigrationError)
  const holder = `process ${pid} (nightly report, idle in transaction, for `
  expect((error as Error).message).toContain(holder)
  expect((error as Error).message).not.toContain('private words')
  expect(messages.filter((message) => message.includes(holder))).toHaveLength(3)
})

test('a table that becomes free in time is migrated', async () => {
  await database.query(await readFile('sql/simple_token_table.sql', 'utf8'))
  const reader = await database.pool.connect()
  await reader.query('begin; select from token_usage_logs')
  let attempts = 0

  const result = await migrate(database.pool, {
    onProgress: (message) => {
      if (!message.includes('are locked by')) return
      attempts += 1
      if (attempts === 1) reader.release(true)
    },
  })

  expect(attempts).toBeGreaterThan(0)
  expect(result.applied).toEqual(names)
})

test('a limit on the time of statements does not stop a migration', async () => {
  const [row] = await database.query('select current_database() as name')
  await database.query(`alter database ${row?.name} set statement_timeout = '500ms'`)
  await writeFile(join(directory, '9999-later.sql'), 'select pg_sleep(0.7);\n')

  const { applied } = await migrate(database.connectionString, { directory })

  expect(applied).toContain('9999-later.sql')
})

test('a server that does not answer is one sentence without the connection string', async () => {
  const url = 'postgres://someone:hunter2@127.0.0.1:1/nowhere'

  const migration = migrate(url)

  await expect(migration).rejects.toThrow(MigrationError)
  await expect(migration).rejects.toThrow(/^No answer from PostgreSQL: connect ECONNREFUSED/)
  await expect(migration).rejects.not.toThrow(/hunter2/)
})

test('a connection that is lost in the middle leaves nothing behind and does not end the process', async () => {
  await appendFile(join(directory, '0003-daily-sums.sql'), 'select pg_sleep(10);\n')

  const migration = migrate(database.connectionString, {
    onProgress: (message) => {
      if (!message.includes('0003')) return
      void database.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and application_name = 'tokenledger'`)
    },
    directory,
  })

  await expect(migration).rejects.toThrow(MigrationError)
  expect(await database.query("select from pg_class where relname like 'token_usage%'")).toEqual([])
})

test('a PostgreSQL before 14 is refused by its version', async () => {
  const migration = migrate(answering(database.pool, { number: 130_014, text: '13.14' }))

  await expect(migration).rejects.toThrow('This is PostgreSQL 13.14; tokenledger needs 14 or newer.')
})

// No such server is at hand: a real one that gives another version.
function answering(pool: pg.Pool, version: { number: number; text: string }): pg.Pool {
  const connect = async () => {
    const client = await pool.connect()
    const query = client.query.bind(client) as (sql: string, parameters?: unknown[]) => Promise<unknown>
    const answer = (sql: string, parameters?: unknown[]) =>
      sql.includes('server_version_num') ? Promise.resolve({ rows: [version] }) : query(sql, parameters)
    return Object.assign(client, { query: answer })
  }
  return { connect } as unknown as pg.Pool
}
