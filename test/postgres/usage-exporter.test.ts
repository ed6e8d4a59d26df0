import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { PostgresUsageExporter } from '../../src/postgres/usage-exporter.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'
import type { UsageRecord } from '../../src/usage/usage-record.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'

let database: TestDatabase
let exporter: PostgresUsageExporter

/** As a logger has it: the pools of others, of which most send one query at a time, are in the tests of the connections. */
const createPool = () => new pg.Pool({ connectionString: database.connectionString, max: 1, pipeline: true })

const recordOf = (entry: object): UsageRecord =>
  toUsageRecord(draftRecord({ modelName: 'm', inputTokens: 1, outputTokens: 2, ...entry }, {}, Date.now()))

beforeAll(async () => {
  database = await createTestDatabase()
  exporter = new PostgresUsageExporter(createPool(), 'owned')
})
beforeEach(async () => {
  await database.query('truncate token_usage_logs, token_usage_dead_letters, token_usage_losses')
})
afterAll(async () => {
  await exporter.close()
  await database.drop()
})

describe('exporting to PostgreSQL', () => {
  it('stores every field as it was', async () => {
    const timestamp = Date.UTC(2026, 4, 6, 7, 8, 9, 123)
    const record = recordOf({
      timestamp,
      userEmail: 'änn@example.com',
      sessionId: 's',
      costEstimate: '0.000000120001',
      provider: 'openai',
      operation: 'o',
      operationId: 'oid',
      project: 'p',
      cacheReadTokens: 3,
      cacheWriteTokens: 4,
      reasoningTokens: 5,
      status: 'aborted',
      usageSource: 'provider_partial',
      responseId: 'r',
      durationMs: 6,
      timeToFirstChunkMs: 7,
      metadata: { tag: 'ß' },
      rawUsage: { prompt_tokens: 1 },
    })

    await exporter.export([record])
    const rows = await database.query('select * from token_usage_logs')

    expect(rows).toMatchObject([
      {
        event_id: record.eventId,
        timestamp: new Date(timestamp),
        user_email: 'änn@example.com',
        model_name: 'm',
        input_tokens: 1,
        output_tokens: 2,
        request_type: 'chat',
        session_id: 's',
        cost_estimate: '0.000000120001',
        cost_source: 'entry',
        provider: 'openai',
        operation: 'o',
        operation_id: 'oid',
        project: 'p',
        cache_read_tokens: 3,
        cache_write_tokens: 4,
        reasoning_tokens: 5,
        status: 'aborted',
        usage_source: 'provider_partial',
        response_id: 'r',
        duration_ms: 6,
        time_to_first_chunk_ms: 7,
        metadata: { tag: 'ß' },
        raw_usage: { prompt_tokens: 1 },
      },
    ])
  })

  it('stores a record once, however often and in whatever company it is sent', async () => {
    const records = Array.from({ length: 20 }, () => recordOf({}))

    await exporter.export(records)
    await exporter.export(records.slice(5).reverse())
    await exporter.export([...records.slice(0, 3), ...records.slice(0, 3)])
    const [counted] = await database.query(
      'select count(*)::int as rows, (select sum(requests)::int from token_usage_daily) as sums from token_usage_logs',
    )

    expect(counted).toEqual({ rows: 20, sums: 20 })
  })

  it('takes whatever the normaliser lets through', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 500 }),
      fc.constantFrom('\0', '\ud800', '', 'x'.repeat(400)),
    )
    const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(2 ** 31, -1, 1e21, 0.5, Number.NaN))
    const value = fc.oneof(text, number, fc.anything({ withBigInt: true, withDate: true }))
    const fields = Object.keys(recordOf({})).concat('idempotencyKey')
    const entries = fc.array(fc.dictionary(fc.constantFrom(...fields), value), { minLength: 1, maxLength: 50 })
    const eventIds = new Set<string>()

    await fc.assert(
      fc.asyncProperty(entries, async (batch) => {
        const records = batch.map((entry) => toUsageRecord(draftRecord(entry, {}, Date.now())))
        for (const { eventId } of records) eventIds.add(eventId)
        await exporter.export(records)
      }),
      { numRuns: 100 },
    )
    const rows = await database.query('select event_id from token_usage_logs')

    expect(new Set(rows.map((row) => row.event_id))).toEqual(eventIds)
  })

  it('takes texts of many bytes in all the columns that make up a key', async () => {
    const text = () =>
      String.fromCharCode(...Array.from({ length: 400 }, () => 0x4e00 + Math.floor(Math.random() * 20_000)))
    const fields = ['userEmail', 'modelName', 'provider', 'requestType', 'operation', 'project']
    const record = recordOf(Object.fromEntries(fields.map((field) => [field, text()])))

    await exporter.export([record])

    expect(await database.query('select user_email from token_usage_logs')).toEqual([{ user_email: record.userEmail }])
  })

  it('names the kind of a failure, and none of the values in it', async () => {
    const bad = { ...recordOf({}), modelName: 'secret\0' }

    const failed = exporter.export([recordOf({}), bad])

    await expect(failed).rejects.toMatchObject({ kind: 'data', reason: '22021' })
    await expect(failed).rejects.toThrow(/^a value does not fit its column \(22021\)$/)
    expect(await database.query('select 1 from token_usage_logs')).toEqual([])
  })

  it('keeps the connection after refused data', async () => {
    const pool = createPool()
    const single = new PostgresUsageExporter(pool, 'owned')
    const pid = async () => (await pool.query('select pg_backend_pid() as pid')).rows[0].pid
    const before = await pid()

    await single.export([{ ...recordOf({}), modelName: '\0' }]).catch(() => {})
    const after = await pid()
    await single.close()

    expect(after).toBe(before)
  })

  it('calls a taken id, a missing table and a refused password a matter of configuration', async () => {
    const other = await createTestDatabase()
    const adopted = new PostgresUsageExporter(other.pool, 'borrowed')
    const wrongPassword = new URL(other.connectionString)
    wrongPassword.password = 'wrong'
    const locked = new PostgresUsageExporter(new pg.Pool({ connectionString: wrongPassword.href }), 'owned')
    await adopted.export([recordOf({})])

    await other.query("select setval('token_usage_logs_id_seq', 1, false)")
    const taken = await adopted.export([recordOf({})]).catch((error) => error)
    await other.query('alter sequence token_usage_logs_id_seq maxvalue 2')
    await other.query("select setval('token_usage_logs_id_seq', 2, true)")
    const exhausted = await adopted.export([recordOf({})]).catch((error) => error)
    await other.query('drop table token_usage_logs cascade')
    const missing = await adopted.export([recordOf({})]).catch((error) => error)
    const refused = await locked.export([recordOf({})]).catch((error) => error)
    await locked.close()
    await other.drop()

    expect(taken).toMatchObject({ kind: 'configuration', reason: '23505' })
    expect(exhausted).toMatchObject({ kind: 'configuration', reason: '2200H' })
    expect(missing).toMatchObject({ kind: 'configuration', reason: '42P01' })
    expect(refused).toMatchObject({ kind: 'configuration', reason: '28P01' })
  })

  it('calls a broken connection and a server that is away passing', async () => {
    const pool = createPool()
    const single = new PostgresUsageExporter(pool, 'owned')
    const nowhere = new PostgresUsageExporter(new pg.Pool({ host: '127.0.0.1', port: 1 }), 'owned')
    const blocker = await database.pool.connect()
    await blocker.query('begin; lock table token_usage_logs in access exclusive mode')

    const writing = single.export([recordOf({})]).catch((error) => error)
    const [waiting] = await untilBlocked(database)
    await database.query('select pg_terminate_backend($1)', [waiting])
    const killed = await writing
    await blocker.query('rollback')
    blocker.release()
    const refused = await nowhere.export([recordOf({})]).catch((error) => error)
    await single.export([recordOf({})])
    await single.close()
    await nowhere.close()

    expect(killed).toMatchObject({ kind: 'passing' })
    expect(refused).toMatchObject({ kind: 'passing', reason: 'ECONNREFUSED' })
  })

  it('ends its own pool in the middle of a write, and leaves a borrowed one open', async () => {
    const pool = createPool()
    const single = new PostgresUsageExporter(pool, 'owned')
    const blocker = await database.pool.connect()
    await blocker.query('begin; lock table token_usage_logs in access exclusive mode')

    const writing = single.export([recordOf({})]).catch((error) => error)
    await untilBlocked(database)
    await Promise.all([single.close(), single.close()])
    const cut = await writing
    await blocker.query('rollback')
    blocker.release()
    await new PostgresUsageExporter(database.pool, 'borrowed').close()

    expect(cut).toMatchObject({ kind: 'passing', reason: 'connection lost' })
    expect(await database.query('select 1 as open')).toEqual([{ open: 1 }])
  })

  it('locks nothing for the time that this process takes to read an answer', async () => {
    const pool = createPool()
    const single = new PostgresUsageExporter(pool, 'owned')
    const client = await pool.connect()
    const query = client.query.bind(client) as (statement: { text: string }) => Promise<unknown>
    const queryAndStandStill = async (statement: { text: string }) => {
      const answer = await query(statement)
      if (statement.text.startsWith('insert')) insertInAnotherProcess()
      return answer
    }
    Object.assign(client, { query: queryAndStandStill })
    client.release()

    await single.export([recordOf({ userEmail: 'ann@example.com' })])
    await single.close()

    expect(await database.query('select requests::int from token_usage_daily')).toEqual([{ requests: 2 }])
  })

  it.each([
    ['is ahead', 90_000, 'ahead of'],
    ['is behind', -90_000, 'behind'],
  ])(
    'warns once where the clock of this machine %s, and stores rows at their own times',
    async (_how, skewMs, word) => {
      const lines: [object, string][] = []
      const logger = { info: () => {}, error: () => {}, warn: (...line: [object, string]) => void lines.push(line) }
      const watching = new PostgresUsageExporter(database.pool, 'borrowed', logger)
      const realNow = Date.now
      vi.spyOn(Date, 'now').mockImplementation(() => realNow() + skewMs)
      onTestFinished(() => void vi.restoreAllMocks())
      const records = [recordOf({}), recordOf({})]

      for (const record of records) await watching.export([record])
      const rows = await database.query('select timestamp from token_usage_logs order by timestamp')

      expect(lines).toEqual([
        [
          { here: expect.stringMatching(/^\d{4}-.*Z$/), there: expect.stringMatching(/^\d{4}-.*Z$/) },
          expect.stringMatching(new RegExp(`^the clock of this machine is (8\\d|90) s ${word} that of PostgreSQL`)),
        ],
      ])
      expect(rows.map(({ timestamp }) => timestamp.getTime())).toEqual(records.map(({ timestamp }) => timestamp))
    },
  )

  it('takes an answer that was long on its way for no wrong clock', async () => {
    const warn = vi.fn()
    const watching = new PostgresUsageExporter(database.pool, 'borrowed', { info: () => {}, error: () => {}, warn })
    const record = recordOf({})
    const realNow = Date.now
    let isLate = true
    vi.spyOn(Date, 'now').mockImplementation(() => {
      isLate = !isLate
      return realNow() + (isLate ? 20_000 : -20_000)
    })
    onTestFinished(() => void vi.restoreAllMocks())

    await watching.export([record])

    expect(warn).not.toHaveBeenCalled()
  })

  it('keeps dead letters whole and losses once', async () => {
    const record = { ...recordOf({}), modelName: 'with \0 and \ud800' }
    const loss = {
      id: record.eventId,
      reason: 'memory_full',
      records: 3,
      inputTokens: 4,
      outputTokens: 5,
      firstAt: 1000,
      lastAt: 2500,
    }

    for (let time = 0; time < 2; time++) {
      await exporter.exportDeadLetter(record, { code: '22021', message: 'refused' })
      await exporter.exportLoss(loss)
    }
    const [letter, ...otherLetters] = await database.query(
      'select code, reason, record::text from token_usage_dead_letters',
    )
    const losses = await database.query('select reason, records::int, first_at, last_at from token_usage_losses')

    expect(otherLetters).toEqual([])
    expect(letter).toMatchObject({ code: '22021', reason: 'refused' })
    expect(JSON.parse(letter?.record)).toEqual(record)
    expect(losses).toEqual([{ reason: 'memory_full', records: 3, first_at: new Date(1000), last_at: new Date(2500) }])
  })
})

/** For the same user, of whom another writer holds the sums until it commits. This process stands still meanwhile. */
function insertInAnotherProcess(): void {
  const script = `
    import pg from 'pg'
    const client = new pg.Client(process.env.TEST_URL)
    await client.connect()
    await client.query('set lock_timeout = 10000')
    await client.query("insert into token_usage_logs (user_email, model_name, input_tokens, output_tokens, request_type) values ('ann@example.com', 'm', 1, 2, 'chat')")
    await client.end()`
  execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, TEST_URL: database.connectionString },
    stdio: 'pipe',
  })
}
