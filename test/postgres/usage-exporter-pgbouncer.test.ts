import { afterAll, beforeAll, expect, test } from 'vitest'
import { createUsageLogger } from '../../src/index.js'
import { createPool } from '../../src/postgres/pool.js'
import { verify } from '../../src/postgres/verify.js'
import { isPgbouncerInstalled, type Pgbouncer, startPgbouncer } from '../support/start-pgbouncer.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const isInstalled = isPgbouncerInstalled('writing through it')
const quiet = { info: () => {}, warn: () => {}, error: () => {} }
let database: TestDatabase
let pgbouncer: Pgbouncer

beforeAll(async () => {
  if (!isInstalled) return
  database = await createTestDatabase()
  await database.query(`alter table token_usage_logs add check (model_name <> 'refused')`)
  pgbouncer = await startPgbouncer(database.connectionString)
})
afterAll(async () => {
  await pgbouncer?.stop()
  await database?.drop()
})

test.runIf(isInstalled)(
  'rows, dead letters and losses of eight loggers go through a transaction-mode pgbouncer of three connections at the first try',
  async () => {
    const databaseUrl = pgbouncer.connectionString
    const loggers = Array.from({ length: 8 }, () =>
      createUsageLogger({ enabled: true, databaseUrl, logger: quiet, batchSize: 25 }),
    )

    for (let round = 0; round < 10; round++) {
      for (const usage of loggers) {
        for (let row = 0; row < 20; row++) usage.log({ modelName: 'gpt-5', inputTokens: 1, outputTokens: 1 })
      }
      await Promise.all(loggers.map((usage) => usage.flush()))
    }
    for (const usage of loggers) {
      usage.log({ modelName: 'refused', inputTokens: 1, outputTokens: 1 })
      usage.log(null as never)
    }
    await Promise.all(loggers.map((usage) => usage.close()))

    for (const usage of loggers) {
      expect(usage.stats()).toMatchObject({ written: 200, deadLettered: 1, dropped: 1, pending: 0 })
      expect(usage.stats()).toMatchObject({ retries: 0, lastError: undefined })
    }
    const pool = createPool({ databaseUrl, sslEnvironment: { isHeroku: false }, maxConnections: 3 })
    const found = await verify(pool)
    const settings = await Promise.all(Array.from({ length: 6 }, () => pool.query('show statement_timeout')))
    await pool.end()
    expect(found).toMatchObject({ rows: 1600, differences: 0, deadLetters: 8 })
    expect(found.losses).toMatchObject([{ reason: 'unreadable_entry', records: 8 }])
    expect(new Set(settings.map(({ rows }) => rows[0].statement_timeout))).toEqual(new Set(['0']))
  },
)
