import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createUsageLogger, type UsageLoggerOptions } from '../src/index.js'
import { bundleScript } from './support/bundle-script.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from './support/test-database.js'

let database: TestDatabase
const lines: { level: string; message: string }[] = []
const keepLine = (level: string) => (_fields: object, message: string) => lines.push({ level, message })
const logger = { info: keepLine('info'), warn: keepLine('warn'), error: keepLine('error') }
const entry = { modelName: 'gpt-4o-mini', inputTokens: 10, outputTokens: 5, userEmail: 'ann@example.com' }

function createLogger(options: UsageLoggerOptions = {}) {
  const usage = createUsageLogger({ enabled: true, databaseUrl: database.connectionString, logger, ...options })
  // To its end: a write that is given up may still come, in the midst of the next test.
  onTestFinished(() => usage.close())
  return usage
}

async function countRows(): Promise<number> {
  const [row] = await database.query('select count(*)::int as rows from token_usage_logs')
  return row?.rows
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await sleep(10)
}

beforeAll(async () => {
  database = await createTestDatabase()
})
beforeEach(async () => {
  lines.length = 0
  await database.query('truncate token_usage_logs, token_usage_dead_letters, token_usage_losses')
})
afterAll(() => database.drop())

describe('a usage logger', () => {
  it('writes rows with a batch size that is no number, and says what it uses instead', async () => {
    const before = process.env.TOKEN_LOG_BATCH_SIZE
    process.env.TOKEN_LOG_BATCH_SIZE = 'ten'
    const usage = createLogger()
    process.env.TOKEN_LOG_BATCH_SIZE = before
    if (before === undefined) delete process.env.TOKEN_LOG_BATCH_SIZE

    for (let call = 0; call < 10; call++) usage.trackUsage(entry)
    await until(async () => (await countRows()) === 10)

    const problems = lines.filter(({ level }) => level === 'error')
    expect(problems).toHaveLength(1)
    expect(problems[0]?.message).toMatch(
      /^tokenledger: TOKEN_LOG_BATCH_SIZE is "ten", .* the default 10 is used instead$/,
    )
  })

  const itself = (usageFetch: typeof fetch) => usageFetch
  const around =
    (usageFetch: typeof fetch): typeof fetch =>
    (input, init) =>
      usageFetch(input, init)
  const laterAround = (usageFetch: typeof fetch): typeof fetch => {
    let calls = 0
    return async (input, init) => {
      await null
      // One that goes on for ever leaves no turn to a time limit.
      if (++calls > 10) throw new Error('it calls itself')
      return usageFetch(input, init)
    }
  }
  const withRequest =
    (usageFetch: typeof fetch): typeof fetch =>
    async (input, init) =>
      usageFetch(new Request(input, init))
  it.each([
    [true, 'itself', itself],
    [true, 'with a function around it', around],
    [true, 'with an asynchronous function around it', laterAround],
    [true, 'with a function around it that makes a Request', withRequest],
    [false, 'itself', itself],
    [false, 'with a function around it', around],
    [false, 'with an asynchronous function around it', laterAround],
  ])('may become the global fetch: enabled is %s, %s', async (enabled, _how, place) => {
    const server = createServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const before = globalThis.fetch
    onTestFinished(() => {
      globalThis.fetch = before
      server.close()
    })
    const usage = createLogger({ enabled })

    globalThis.fetch = place(usage.fetch)
    const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      body: '{"model":"m"}',
    })

    expect(await response.text()).toBe('{}')
    expect(usage.stats().accepted).toBe(enabled ? 1 : 0)
  })

  it('returns from the call that fills a batch although the database holds every write up', async () => {
    const usage = createLogger()
    const blocker = await database.pool.connect()
    await blocker.query('begin; lock table token_usage_logs in access exclusive mode')

    const returned = Array.from({ length: 30 }, () => usage.log(entry))
    await untilBlocked(database)
    for (let call = 0; call < 30; call++) returned.push(usage.log(entry))
    const whileHeld = usage.stats()
    await blocker.query('rollback')
    blocker.release()
    await usage.flush()

    expect(returned).toEqual(Array(60).fill(undefined))
    expect(whileHeld).toMatchObject({ accepted: 60, written: 0, pending: 60 })
    expect(await countRows()).toBe(60)
  })

  it('writes every other row beside the ones that used to block all rows for ever', async () => {
    const usage = createLogger()

    usage.log({ ...entry, inputTokens: 2 ** 31 })
    usage.log({ ...entry, userEmail: `${'x'.repeat(300)}@example.com` })
    usage.log({ ...entry, outputTokens: Number.NaN })
    usage.log({ ...entry, modelName: 'nul\0byte' })
    usage.log({ ...entry, costEstimate: Number.NaN })
    usage.log({ ...entry, timestamp: new Date(Number.NaN) })
    usage.log({ ...entry, metadata: { nul: '\0', big: 10n, self: globalThis } })
    for (let call = 0; call < 50; call++) usage.log(entry)
    await usage.flush()

    expect(usage.stats()).toMatchObject({ accepted: 57, written: 57, deadLettered: 0, dropped: 0 })
    expect(await countRows()).toBe(57)
  })

  it('keeps as a dead letter what a constraint of the owner refuses, and writes the rest', async () => {
    await database.query("alter table token_usage_logs add constraint mine check (model_name <> 'forbidden')")
    onTestFinished(() => database.query('alter table token_usage_logs drop constraint mine').then(() => {}))
    const usage = createLogger()

    for (let call = 0; call < 20; call++) usage.log(call === 7 ? { ...entry, modelName: 'forbidden' } : entry)
    await usage.flush()
    const letters = await database.query("select code, record ->> 'modelName' as model from token_usage_dead_letters")

    expect(usage.stats()).toMatchObject({ written: 19, deadLettered: 1, pending: 0 })
    expect(letters).toEqual([{ code: '23514', model: 'forbidden' }])
  })

  it('keeps as a dead letter what a trigger of the owner refuses, and writes the rest', async () => {
    await database.query(`create function refuse() returns trigger language plpgsql as
      $$ begin if new.model_name = 'forbidden' then raise exception 'no'; end if; return new; end $$;
      create trigger refuse before insert on token_usage_logs for each row execute function refuse()`)
    onTestFinished(() => database.query('drop function refuse cascade').then(() => {}))
    const usage = createLogger()

    for (let call = 0; call < 20; call++) usage.log(call === 7 ? { ...entry, modelName: 'forbidden' } : entry)
    await usage.flush()

    expect(usage.stats()).toMatchObject({ written: 19, deadLettered: 1, pending: 0 })
    expect(await database.query('select code from token_usage_dead_letters')).toEqual([{ code: 'P0001' }])
  })

  it('writes all batches, and not one, when it closes after an outage', async () => {
    await database.query('alter table token_usage_logs rename to away')
    const usage = createLogger({ maxBatchSize: 50 })
    for (let call = 0; call < 500; call++) usage.log(entry)
    await usage.flush()
    const during = usage.stats()
    await database.query('alter table away rename to token_usage_logs')

    await usage.close()

    expect(during).toMatchObject({ state: 'misconfigured', pending: 500 })
    expect(await countRows()).toBe(500)
  })

  it('takes one connection for a burst of 2000 calls', async () => {
    // Those of the loggers before may not have ended yet.
    const url = new URL(database.connectionString)
    url.searchParams.set('application_name', 'burst')
    const usage = createLogger({ databaseUrl: url.href })
    const own =
      "select count(*)::int as connections from pg_stat_activity where application_name = 'burst' and datname = current_database()"
    const seen: number[] = []

    for (let call = 0; call < 2000; call++) {
      usage.log(entry)
      if (call % 10 === 9) void usage.flush()
    }
    const done = usage.flush().then(() => true)
    while (!(await Promise.race([done, sleep(1, false)]))) seen.push((await database.query(own))[0]?.connections)

    expect(Math.max(0, ...seen)).toBeLessThanOrEqual(1)
    expect((await database.query(own))[0]?.connections).toBe(1)
    expect(await countRows()).toBe(2000)
  })

  it('writes all that is pending when the interval has passed', async () => {
    const usage = createLogger({ batchSize: 10_000, flushIntervalMs: 50 })

    for (let call = 0; call < 300; call++) usage.log(entry)
    await until(() => usage.stats().written > 0)

    expect(usage.stats()).toMatchObject({ written: 300, pending: 0 })
  })

  it('stores the time of the call and not that of the write', async () => {
    const usage = createLogger()

    const before = Date.now()
    usage.log(entry)
    const after = Date.now()
    await sleep(60)
    await usage.flush()
    const [row] = await database.query('select timestamp from token_usage_logs')

    expect(row?.timestamp.getTime()).toBeGreaterThanOrEqual(before)
    expect(row?.timestamp.getTime()).toBeLessThanOrEqual(after)
  })

  it('does not write a row twice when the answer to the commit is lost', async () => {
    const pool = new pg.Pool({ connectionString: database.connectionString, max: 1 })
    onTestFinished(() => pool.end())
    let lost = 0
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (config: { text: string }) => Promise<unknown>
      let isWriting = false
      client.query = (async (config: { text: string }) => {
        const answer = await query(config)
        isWriting ||= config.text.startsWith('insert')
        if (config.text !== 'commit' || !isWriting || lost++ >= 3) return answer
        throw new Error('Connection terminated unexpectedly')
      }) as never
    })
    const usage = createLogger({ pool, databaseUrl: undefined })

    for (let call = 0; call < 40; call++) usage.log(entry)
    await until(async () => {
      await usage.flush()
      return usage.stats().pending === 0
    })
    const [sums] = await database.query('select sum(requests)::int as requests from token_usage_daily')

    expect(usage.stats()).toMatchObject({ retries: 3, written: 40 })
    expect(await countRows()).toBe(40)
    expect(sums).toEqual({ requests: 40 })
  })

  it('records an image request as 1 and 1', async () => {
    const usage = createLogger()

    usage.logImage({ modelName: 'gpt-image-1', userEmail: 'ann@example.com' })
    await usage.flush()
    const rows = await database.query(
      'select request_type, input_tokens, output_tokens, usage_source from token_usage_logs',
    )

    expect(rows).toEqual([{ request_type: 'image', input_tokens: 1, output_tokens: 1, usage_source: 'fixed' }])
  })

  it('keeps the rows, and says so in one line, when no database is set', async () => {
    const before = process.env.DATABASE_URL
    delete process.env.DATABASE_URL
    const usage = createLogger({ databaseUrl: undefined })
    if (before !== undefined) process.env.DATABASE_URL = before

    for (let call = 0; call < 25; call++) usage.log(entry)
    await usage.flush()

    expect(usage.stats()).toMatchObject({ state: 'misconfigured', accepted: 25, pending: 25 })
    expect(lines).toHaveLength(1)
    expect(lines[0]?.message).toContain('no database is set; set DATABASE_URL')
  })

  it('never shows the database URL when it cannot be read', () => {
    const usage = createLogger({ databaseUrl: 'postgres://ann:s3cret@[bad/db' })

    usage.log(entry)

    expect(usage.stats()).toMatchObject({ state: 'misconfigured', pending: 1 })
    expect(lines).toHaveLength(1)
    expect(JSON.stringify([lines, usage.stats()])).not.toContain('s3cret')
  })

  it('shows no value of a row, no URL and no password in what it says of a failure', async () => {
    await database.query("alter table token_usage_logs add constraint mine check (model_name <> 'canary-model')")
    onTestFinished(() => database.query('alter table token_usage_logs drop constraint mine').then(() => {}))
    const away = new URL('postgres://canary-name:canary-password@127.0.0.1:1/canary-database')
    const secret = { modelName: 'canary-model', userEmail: 'canary@example.com', metadata: { note: 'canary' } }
    const loggers = [
      createLogger(),
      createLogger({ databaseUrl: away.href }),
      createLogger({ databaseUrl: `${away}%` }),
    ]

    for (const usage of loggers) {
      usage.log({ ...entry, ...secret })
      usage.log({ ...entry, ...secret, inputTokens: 'canary' as never, costEstimate: 'canary' })
      await usage.flush()
    }
    await Promise.all(loggers.map((usage) => usage.close({ timeoutMs: 50 })))
    const letters = await database.query('select code, reason from token_usage_dead_letters')

    expect(letters).toHaveLength(2)
    expect(lines.length).toBeGreaterThan(3)
    expect(JSON.stringify([lines, letters, loggers.map((usage) => usage.stats())])).not.toContain('canary')
  })

  it('counts what is no entry, and never throws', async () => {
    const usage = createLogger()
    const angry = Object.defineProperty({}, 'modelName', {
      enumerable: true,
      get: () => {
        throw new Error('no')
      },
    })

    for (const bad of [undefined, null, angry]) usage.log(bad as never)
    usage.logImage(angry as never)
    await usage.flush()
    const [loss] = await database.query('select reason, records::int from token_usage_losses')

    expect(usage.stats()).toMatchObject({ accepted: 4, dropped: 4, droppedByReason: { unreadable_entry: 4 } })
    expect(loss).toEqual({ reason: 'unreadable_entry', records: 4 })
  })

  it('works with its members taken apart, and with a logger that throws', async () => {
    const broken = () => {
      throw new Error('the log is full')
    }
    const { log, flush, stats } = createLogger({ logger: { info: broken, warn: broken, error: broken }, batchSize: -1 })

    log(entry)
    await flush()

    expect(stats()).toMatchObject({ written: 1, state: 'running' })
  })
})

describe('a script that ends', () => {
  const script = (end: string) => `
    import { createUsageLogger } from '${pathToFileURL(bundleScript('src/index.ts'))}'
    const usage = createUsageLogger({ enabled: true, databaseUrl: process.env.TEST_URL })
    for (let call = 0; call < 7; call++) usage.log({ modelName: 'm', inputTokens: 1, outputTokens: 1 })
    ${end}`
  const run = (end: string) =>
    spawnSync(process.execPath, ['--input-type=module', '--eval', script(end)], {
      encoding: 'utf8',
      env: { ...process.env, TEST_URL: database.connectionString },
    })

  it('still writes its rows when it simply ends', async () => {
    const { status } = run('')

    expect(status).toBe(0)
    expect(await countRows()).toBe(7)
  })

  it('still stores what it had to drop when it simply ends', async () => {
    const { status } = run('await usage.flush(); usage.log(undefined)')
    const losses = await database.query('select reason, records::int from token_usage_losses')

    expect(status).toBe(0)
    expect(losses).toEqual([{ reason: 'unreadable_entry', records: 1 }])
  })

  it('says how many rows were left when it is cut short', async () => {
    const { status, stderr } = run('process.exit(3)')

    expect(status).toBe(3)
    expect(stderr).toContain('the process ends with 7 usage rows not written')
    expect(await countRows()).toBe(0)
  })
})
