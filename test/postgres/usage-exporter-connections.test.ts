import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { toExportError } from '../../src/postgres/error-kind.js'
import { PostgresUsageExporter } from '../../src/postgres/usage-exporter.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'

// Nobody should have to wait ten seconds for the exporter to lose its patience.
const patience = vi.hoisted(() => ({ longestMs: Number.POSITIVE_INFINITY }))
vi.mock('node:timers/promises', async (load) => {
  const original = await load<typeof import('node:timers/promises')>()
  const setTimeout: typeof original.setTimeout = (ms, value, options) =>
    original.setTimeout(Math.min(ms ?? 0, patience.longestMs), value, options)
  return { ...original, setTimeout }
})

let database: TestDatabase

const recordOf = (entry: object = {}) =>
  toUsageRecord(draftRecord({ modelName: 'm', inputTokens: 1, outputTokens: 2, ...entry }, {}, Date.now()))

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

/** A pool of the application, to which nobody listens. */
function createPool(settings: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: database.connectionString, max: 1, ...settings })
  onTestFinished(async () => {
    if (!pool.ended) await pool.end()
  })
  return pool
}

describe('the connections of the exporter', () => {
  it('leave no listener behind on a borrowed pool or its client, after any number of writes', async () => {
    const pool = createPool()
    const exporter = new PostgresUsageExporter(pool, 'borrowed')
    const client = await pool.connect()
    client.release()
    const listeners = () => [...client.eventNames()].map((name) => [name, client.listenerCount(name)])
    await exporter.export([recordOf()])
    const before = listeners()

    for (let write = 0; write < 200; write++) await exporter.export([recordOf()])
    for (let write = 0; write < 20; write++) await exporter.export([{ ...recordOf(), modelName: '\0' }]).catch(() => {})
    const after = listeners()
    await exporter.close()

    expect(after).toEqual(before)
    expect(pool.listenerCount('error')).toBe(0)
    expect(pool.totalCount).toBe(1)
  })

  it('may be lost while they are idle in a borrowed pool to which nobody else listens', async () => {
    const pool = createPool()
    const exporter = new PostgresUsageExporter(pool, 'borrowed')
    await exporter.export([recordOf()])
    const { pid } = (await pool.query('select pg_backend_pid() as pid')).rows[0]

    await database.query('select pg_terminate_backend($1)', [pid])
    while (pool.totalCount > 0) await sleep(5)
    await exporter.export([recordOf()])
    await exporter.close()

    expect(pool.totalCount).toBe(1)
  })

  it('are waited for in a busy pool for a while only, and given back when they come too late', async () => {
    const pool = createPool()
    const exporter = new PostgresUsageExporter(pool, 'borrowed')
    const holder = await pool.connect()

    patience.longestMs = 50
    const failed = await exporter.export([recordOf()]).catch((error) => error)
    patience.longestMs = Number.POSITIVE_INFINITY
    holder.release()
    await exporter.export([recordOf()])

    expect(failed).toMatchObject({ kind: 'passing', reason: 'timeout' })
    expect(pool.waitingCount).toBe(0)
    expect(pool.idleCount).toBe(1)
  })

  it('are not taken from a borrowed pool after the exporter was closed', async () => {
    const pool = createPool()
    const exporter = new PostgresUsageExporter(pool, 'borrowed')
    const holder = await pool.connect()

    const writing = exporter.export([recordOf({ modelName: 'late' })]).catch((error) => error)
    await exporter.close()
    holder.release()
    const failed = await writing
    await pool.end()

    expect(failed).toMatchObject({ kind: 'passing' })
    expect(await database.query("select 1 from token_usage_logs where model_name = 'late'")).toEqual([])
  })

  it('are cut in the middle of a write when the exporter closes, so that a borrowed pool can end', async () => {
    const pool = createPool()
    const exporter = new PostgresUsageExporter(pool, 'borrowed')
    const blocker = await database.pool.connect()
    await blocker.query('begin; lock table token_usage_logs in access exclusive mode')

    const writing = exporter.export([recordOf()]).catch((error) => error)
    await untilBlocked(database)
    await exporter.close()
    await pool.end()
    await blocker.query('rollback')
    blocker.release()

    expect(await writing).toMatchObject({ kind: 'passing', reason: 'connection lost' })
  })
})

describe('what an error means', () => {
  it('is told by the taken id, whatever the primary key of an adopted table is called', async () => {
    const other = await createTestDatabase()
    const exporter = new PostgresUsageExporter(other.pool, 'borrowed')
    await other.query('alter table token_usage_logs rename constraint token_usage_logs_pkey to our_key')
    await exporter.export([recordOf()])
    await other.query("select setval('token_usage_logs_id_seq', 1, false)")

    const taken = await exporter.export([recordOf()]).catch((error) => error)
    await exporter.close()
    await other.drop()

    expect(taken).toMatchObject({ kind: 'configuration', reason: '23505' })
    expect(taken.message).toContain('sequence is behind its ids')
  })

  it('is not the id where a constraint of the owner is broken', async () => {
    const other = await createTestDatabase()
    const exporter = new PostgresUsageExporter(other.pool, 'borrowed')
    await other.query('create unique index mine on token_usage_logs (response_id)')
    await exporter.export([recordOf({ responseId: 'secret' })])

    const refused = await exporter.export([recordOf({ responseId: 'secret' })]).catch((error) => error)
    await exporter.close()
    await other.drop()

    expect(refused).toMatchObject({ kind: 'data', reason: '23505' })
    expect(refused.message).toBe('a value does not fit its column (23505)')
  })

  it('is a setting where the server offers no encryption', async () => {
    const plain = await listen((socket) => socket.once('data', () => socket.end('N')))
    const exporter = new PostgresUsageExporter(new pg.Pool({ ...plain, ssl: true }), 'owned')

    const refused = await exporter.export([recordOf()]).catch((error) => error)
    await exporter.close()

    expect(refused).toMatchObject({ kind: 'configuration', reason: 'no TLS' })
  })

  it('is a setting, and says what to do, where the application has ended its pool', async () => {
    const pool = createPool()
    const exporter = new PostgresUsageExporter(pool, 'borrowed')
    await pool.end()

    const refused = await exporter.export([recordOf()]).catch((error) => error)
    await exporter.close()

    expect(refused).toMatchObject({ kind: 'configuration', reason: 'pool ended' })
    expect(refused.message).toContain('await usage.close() before pool.end()')
  })

  it('is passing, and told without its own words, for whatever is thrown', () => {
    for (const thrown of [undefined, null, 'secret', 7, new Error('secret'), new EventEmitter(), { code: 7 }]) {
      const error = toExportError(thrown)

      expect(error.kind).toBe('passing')
      expect(`${error.message} ${error.reason}`).not.toContain('secret')
    }
  })

  it('is passing where pgbouncer has lost the server, and a setting where it refuses an option', () => {
    const lost = toExportError({ code: '08P01', message: 'server conn crashed?' })
    const refused = toExportError({ code: '08P01', message: 'unsupported startup parameter: options' })

    expect(lost).toMatchObject({ kind: 'passing', reason: '08P01' })
    expect(refused).toMatchObject({ kind: 'configuration', reason: '08P01' })
  })

  it('is that the server is silent where it accepts and never answers', async () => {
    const silent = await listen(() => {})
    const pool = new pg.Pool({ ...silent, connectionTimeoutMillis: 10 })
    const exporter = new PostgresUsageExporter(pool, 'owned')

    const failed = await exporter.export([recordOf()]).catch((error) => error)
    await exporter.close()

    expect(failed).toMatchObject({ kind: 'passing', reason: 'timeout' })
    expect(failed.message).toBe('it did not answer in time (timeout)')
  })
})

/** A server that treats connections like this, for the time of a test. */
async function listen(onConnection: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}))
    onConnection(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { host: '127.0.0.1', port }
}
