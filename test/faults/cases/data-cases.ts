import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import { expect } from 'vitest'
import { createUsageLogger } from '../../../src/index.js'
import { createPool } from '../../../src/postgres/pool.js'
import { PostgresUsageExporter } from '../../../src/postgres/usage-exporter.js'
import { BatchProcessor } from '../../../src/recording/batch-processor.js'
import type { UsageExporter, UsageLoss } from '../../../src/recording/exporter.js'
import { draftRecord } from '../../../src/usage/draft-record.js'
import { eventIdOfKey } from '../../../src/usage/event-id.js'
import { toUsageRecord } from '../../../src/usage/to-usage-record.js'
import type { UsageRecord } from '../../../src/usage/usage-record.js'
import type { TestDatabase } from '../../support/test-database.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import { FaultProxy } from '../fault-proxy.js'
import { judge, requireEqualSums } from '../oracle.js'
import { silent, tell } from '../spool-rig.js'

/** Faults of the rows themselves. */
export const dataCases: readonly FaultCase[] = [
  {
    id: 'R1',
    title:
      'rows that PostgreSQL refuses, as a gap in the checks would let them through: dead letters, and no other row',
    run: refuseSome,
    isShort: true,
  },
  { id: 'R2', title: 'a million entries of anything: none makes log() throw, none is refused by the table', run: fuzz },
  { id: 'R3', title: 'nothing but refused rows, then good ones', run: refuseAll },
  { id: 'R4', title: 'refused rows, and the connection is cut while they are looked for', run: cutBisection },
  { id: 'R5', title: 'a batch of more values than a statement has parameters, and metadata of 8 MB', run: sendMuch },
]

type Spoil = (record: UsageRecord) => UsageRecord

const deepJson = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`
/** What the normaliser lets nobody send. */
const poisons: Readonly<Record<string, Spoil>> = {
  'NUL in a text': (record) => ({ ...record, modelName: 'a\0b' }),
  'NUL in JSON': (record) => ({ ...record, metadata: '{"a":"\\u0000"}' }),
  'half a surrogate pair in JSON': (record) => ({ ...record, metadata: '{"a":"\\ud800"}' }),
  'no JSON': (record) => ({ ...record, rawUsage: '{' }),
  'JSON of 20,000 levels': (record) => ({ ...record, metadata: deepJson }),
  'a text too long for its index': (record) => ({ ...record, userEmail: noise(9000) }),
  'no user': (record) => ({ ...record, userEmail: null as never }),
  'a time out of range': (record) => ({ ...record, timestamp: 9_224_318_184_800_000 }),
}

/** Writes to PostgreSQL, and undoes the work of the normaliser for some rows. */
class SpoilingExporter implements UsageExporter {
  readonly name = 'PostgreSQL'
  statements = 0
  readonly #inner: UsageExporter
  readonly #spoil: Spoil

  constructor(databaseUrl: string, spoil: Spoil) {
    const pool = createPool({ databaseUrl, sslEnvironment: { isHeroku: false }, maxConnections: 1 }, silent)
    this.#inner = new PostgresUsageExporter(pool, 'owned')
    this.#spoil = spoil
  }

  export(records: readonly UsageRecord[]): Promise<void> {
    this.statements += 1
    return this.#inner.export(records.map(this.#spoil))
  }

  exportDeadLetter(record: UsageRecord, reason: { code: string; message: string }): Promise<void> {
    return this.#inner.exportDeadLetter(this.#spoil(record), reason)
  }

  exportLoss(loss: UsageLoss): Promise<void> {
    return this.#inner.exportLoss(loss)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}

type Rows = { readonly good: readonly string[]; readonly refused: readonly string[] }

/** Rows of a run: every nth of them, from the first third of a batch on, is refused. */
function createRows(name: string, count: number, nth: number): Rows & { readonly all: readonly string[] } {
  const all = Array.from({ length: count }, (_, index) => `${name}-${index}`)
  const isRefused = (_: string, index: number) => index % nth === Math.floor(nth / 3)
  return { all, good: all.filter((id, index) => !isRefused(id, index)), refused: all.filter(isRefused) }
}

/** Logs rows, of which some are spoiled on their way, and waits until all is settled. */
async function send(databaseUrl: string, { all, refused }: ReturnType<typeof createRows>, spoil: Spoil) {
  const ids = new Set(refused)
  const exporter = new SpoilingExporter(databaseUrl, (record) =>
    ids.has(record.responseId ?? '') ? spoil(record) : record,
  )
  const settings = { batchSize: 100_000, maxBatchSize: 500, flushIntervalMs: 3_600_000, maxMemoryMb: 64 }
  const processor = new BatchProcessor(settings, exporter, silent)
  for (const id of all) processor.push(draftRecord({ ...entry, responseId: id, idempotencyKey: id }, {}, Date.now()))
  await processor.close(120_000)
  const { accepted, written, deadLettered, dropped, pending } = processor.stats()
  expect([written + deadLettered + dropped + pending, dropped, pending]).toEqual([accepted, 0, 0])
  return { statements: exporter.statements, ...processor.stats() }
}

const entry = { modelName: 'm', inputTokens: 1, outputTokens: 1, costEstimate: '0.000000000001', metadata: { a: 1 } }

/** All good rows are there, and just the refused ones are dead letters, once. */
async function requireJust(database: TestDatabase, { good, refused }: Rows): Promise<void> {
  const rows = await database.query('select response_id as id from token_usage_logs order by 1')
  const letters = await database.query('select event_id as id from token_usage_dead_letters order by 1')
  expect(rows.map(({ id }) => id)).toEqual(good.toSorted())
  expect(letters.map(({ id }) => id)).toEqual(refused.map(eventIdOfKey).toSorted())
  await requireEqualSums(database)
}

async function refuseSome({ database, scale }: FaultContext): Promise<FaultResult> {
  const mostStatements = 2 * Math.ceil(Math.log2(500)) + 1
  const good: string[] = []
  const refused: string[] = []
  for (const [kind, spoil] of Object.entries(poisons)) {
    const single = createRows(`${kind}, one`, 500, 500)
    const { statements, deadLettered } = await withoutTime(() => send(database.connectionString, single, spoil))
    expect({ kind, deadLettered }).toEqual({ kind, deadLettered: 1 })
    expect(statements).toBeLessThanOrEqual(mostStatements)
    good.push(...single.good)
    refused.push(...single.refused)
    if (scale === 'short') continue
    const some = createRows(`${kind}, some`, 1000, 100)
    await send(database.connectionString, some, spoil)
    good.push(...some.good)
    refused.push(...some.refused)
  }

  await requireJust(database, { good, refused })
  const note = `${Object.keys(poisons).length} kinds; at most ${mostStatements} statements to find one row among 500`
  return { announced: good.length + refused.length, lost: 0, twice: 0, note }
}

/** A search for a refused row is left off after a second, in which a busy machine does not end it. */
async function withoutTime<T>(work: () => Promise<T>): Promise<T> {
  const clock = FakeTimers.install({ toFake: ['performance'] })
  try {
    return await work()
  } finally {
    clock.uninstall()
  }
}

async function refuseAll({ database, scale }: FaultContext): Promise<FaultResult> {
  const count = scale === 'short' ? 100 : 1000
  const refused = createRows('refused', count, 1).all
  const good = createRows('good', 100, 200).good
  const [before, startedAt] = [process.cpuUsage(), performance.now()]
  const rows = { all: [...refused, ...good], good, refused }
  const { statements } = await send(database.connectionString, rows, poisons['NUL in a text'] as Spoil)
  const ms = performance.now() - startedAt
  const { user, system } = process.cpuUsage(before)

  await requireJust(database, rows)
  expect(statements).toBeLessThan(2 * rows.all.length)
  // In microseconds.
  const cores = (user + system) / 1000 / ms
  expect(cores).toBeLessThanOrEqual(1)
  const note = `${statements} statements in ${(ms / 1000).toFixed(1)} s on ${cores.toFixed(2)} of a core; 100 good rows behind them`
  return { announced: rows.all.length, lost: 0, twice: 0, note }
}

async function cutBisection({ database, random, scale }: FaultContext): Promise<FaultResult> {
  const cuts = scale === 'short' ? 5 : 40
  const rows = createRows('cut', 2000, 50)
  const proxy = await FaultProxy.start(database.connectionString)
  proxy.planCut = () => {
    if (proxy.cuts >= cuts) return undefined
    const text = random.pick(['insert into token_usage_logs', 'insert into token_usage_dead_letters', 'commit'])
    const side = random.pick(['before', 'after'] as const)
    return { of: 'client', at: { text, nth: random.integer(1, 12), side }, how: random.pick(['end', 'reset'] as const) }
  }
  const url = proxy.through(database.connectionString)
  const { retries } = await send(url, rows, poisons['NUL in JSON'] as Spoil)
  proxy.close()

  await requireJust(database, rows)
  expect(proxy.cuts).toBeGreaterThan(0)
  const note = `${proxy.cuts} cuts, ${retries} failed writes, ${rows.refused.length} dead letters, each once`
  return { announced: rows.all.length, lost: 0, twice: 0, note }
}

async function sendMuch({ database }: FaultContext): Promise<FaultResult> {
  const count = 20_000
  const ids = Array.from({ length: count }, (_, index) => `much-${index}`)
  const usage = createUsageLogger({
    enabled: true,
    databaseUrl: database.connectionString,
    batchSize: 100_000,
    maxBatchSize: 100_000,
    maxMemoryMb: 256,
    logger: silent,
  })
  for (const responseId of ids) usage.log({ ...entry, responseId })
  usage.log({ ...entry, responseId: 'large', metadata: { text: 'x'.repeat(8 * 1024 * 1024), more: 1 } })
  await usage.close()

  const verdict = await judge(database, [...ids, 'large'])
  expect(verdict).toMatchObject({ missing: 0, twice: 0 })
  const [batch] = await database.query(
    'select count(*)::int as rows from token_usage_logs group by xmin order by 1 desc limit 1',
  )
  const [large] = await database.query(
    "select metadata -> 'truncated' as truncated, length(metadata::text) as bytes from token_usage_logs where response_id = 'large'",
  )
  // 24 columns: as single parameters they would be more than 65,535.
  expect(batch?.rows).toBeGreaterThan(65_535 / 24)
  expect(large).toMatchObject({ truncated: true })
  expect(large?.bytes).toBeLessThanOrEqual(8192)
  await requireEqualSums(database)
  return tell(verdict, `${batch?.rows} rows in one statement; the metadata is cut to ${large?.bytes} bytes`)
}

const fuzzedFields: readonly (keyof UsageRecord | 'idempotencyKey')[] = [
  'timestamp',
  'userEmail',
  'modelName',
  'inputTokens',
  'outputTokens',
  'requestType',
  'sessionId',
  'costEstimate',
  'costSource',
  'provider',
  'operation',
  'operationId',
  'project',
  'cacheReadTokens',
  'cacheWriteTokens',
  'reasoningTokens',
  'status',
  'usageSource',
  'responseId',
  'durationMs',
  'timeToFirstChunkMs',
  'metadata',
  'rawUsage',
  'idempotencyKey',
]

async function fuzz({ database, random, scale, log }: FaultContext): Promise<FaultResult> {
  const [count, everyNth] = scale === 'short' ? [20_000, 10] : [1_000_000, 20]
  const values = createHostileValues(random.integer(1, 2 ** 31))
  const exporter = new SpoilingExporter(database.connectionString, (record) => record)
  const stored = new Set<string>()
  let batch: UsageRecord[] = []
  for (let index = 0; index < count; index++) {
    const hostile: Record<string, unknown> = {}
    for (const field of fuzzedFields) if (random.integer(0, 3) > 0) hostile[field] = random.pick(values)
    const record = toUsageRecord(draftRecord(hostile, {}, Date.now()))
    if (index % everyNth > 0) continue
    batch.push(record)
    if (batch.length < 1000 && index + everyNth < count) continue
    await exporter.export(batch)
    for (const { eventId } of batch) stored.add(eventId)
    batch = []
    if (index % 200_000 < everyNth * 1000) log(`${index} of ${count} entries`)
  }
  await exporter.close()

  const [found] = await database.query('select count(*)::int as rows from token_usage_logs')
  expect(found?.rows).toBe(stored.size)
  await requireEqualSums(database)
  const note = `${count} entries made into rows, every ${everyNth}th of them stored; 0 thrown, 0 refused`
  return { announced: stored.size, lost: 0, twice: 0, note }
}

/** Values that have broken something somewhere, and some thousand that fast-check thinks of. */
function createHostileValues(seed: number): unknown[] {
  const text = '\0\ud800\udfff\u2028\u202e\ufeff"\\\'; drop table token_usage_logs; --'
  const circular: Record<string, unknown> = { a: 1 }
  circular.self = circular
  const deep = JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`)
  const throwing = {
    get a() {
      throw new Error('no')
    },
    toString: () => {
      throw new Error('no')
    },
  }
  const numbers = [
    0,
    -0,
    -1,
    0.1,
    1e-9,
    1.5,
    1e21,
    1e308,
    2 ** 31,
    2 ** 31 - 1,
    2 ** 53 + 2,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ]
  const texts = [
    '',
    ' ',
    '1e400',
    '-1',
    '0.0000000000001',
    '99999999',
    '100000000',
    'NaN',
    'Infinity',
    text,
    noise(400),
  ]
  const long = [
    'x'.repeat(100_000),
    '😀'.repeat(1000),
    '\u0800'.repeat(400),
    `${'x'.repeat(255)}😀`,
    '\ud83d'.repeat(300),
  ]
  const dates = [new Date(Number.NaN), new Date(8.64e15), new Date(0), '2026-02-30', '+275760-09-13T00:00:00Z']
  const others = [
    null,
    undefined,
    true,
    10n ** 100n,
    12n,
    Symbol('s'),
    () => {},
    throwing,
    circular,
    deep,
    new Map([[1, 2]]),
  ]
  const objects = [
    { [text]: text },
    JSON.parse('{"__proto__":{"a":1},"constructor":1}'),
    new Uint8Array(10_000),
    [text],
  ]
  const known = [...numbers, ...texts, ...long, ...dates, ...others, ...objects]
  const anything = fc.sample(
    fc.anything({ withBigInt: true, withDate: true, withSparseArray: true, withNullPrototype: true }),
    {
      numRuns: 3000,
      seed,
    },
  )
  return [...known.flatMap((value) => Array(20).fill(value)), ...anything]
}

/** Text that no index can make smaller. */
function noise(length: number): string {
  return Array.from({ length }, () => Math.floor(Math.random() * 36).toString(36)).join('')
}
