import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eraseUser } from '../../src/history/erase-user.js'
import { importUsage } from '../../src/history/import-usage.js'
import { findPruneBoundary, prune } from '../../src/history/prune.js'
import { findUserData } from '../../src/history/user-data.js'
import { verifyErasure } from '../../src/history/verify-erasure.js'
import { createUsageLogger } from '../../src/index.js'
import { retryDeadLetters } from '../../src/postgres/dead-letters.js'
import { PostgresUsageExporter } from '../../src/postgres/usage-exporter.js'
import { verify } from '../../src/postgres/verify.js'
import { encodeFrame } from '../../src/recording/spool/frame.js'
import { createLiveness } from '../../src/recording/spool/owner.js'
import type { Segment } from '../../src/recording/spool/segment.js'
import { SpoolDirectory } from '../../src/recording/spool/spool-directory.js'
import { spoolRecord } from '../../src/recording/spool/spooled-record.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'
import type { UsageRecord } from '../../src/usage/usage-record.js'
import { createTestDatabase, type TestDatabase, untilBlocked } from '../support/test-database.js'
import { textOfDatabase } from './text-of-database.js'

const ann = 'ann@example.com'
const bob = 'bob@example.com'
const quiet = { info: () => {}, warn: () => {}, error: () => {} }

let database: TestDatabase
let directory: string
let spoolDir: string

beforeEach(async () => {
  database = await createTestDatabase()
  directory = mkdtempSync(join(tmpdir(), 'tokenledger-erase-'))
  spoolDir = join(directory, 'spool')
})
afterEach(async () => {
  await database.drop()
  rmSync(directory, { recursive: true, force: true })
})

function recordOf(userEmail: string, more: object = {}): UsageRecord {
  const entry = { userEmail, modelName: 'm', inputTokens: 5, outputTokens: 1, costEstimate: 0.5, ...more }
  return toUsageRecord(draftRecord(entry, {}, Date.now()))
}

async function write(records: readonly UsageRecord[]): Promise<void> {
  await new PostgresUsageExporter(database.pool, 'borrowed').export(records)
}

async function keepDeadLetter(record: UsageRecord): Promise<void> {
  const exporter = new PostgresUsageExporter(database.pool, 'borrowed')
  await exporter.exportDeadLetter(record, { code: '22003', message: 'too large' })
}

/** What a process leaves in the spool that is killed before it writes these. */
function leaveInSpool(records: readonly UsageRecord[], owner: 'ended' | 'running' = 'ended'): void {
  const { self } = createLiveness()
  const startedAt = owner === 'ended' ? `${self.startedAt}1` : self.startedAt
  mkdirSync(spoolDir, { recursive: true, mode: 0o700 })
  const spool = new SpoolDirectory(spoolDir, { self: { ...self, startedAt }, stateOf: () => 'ended' })
  spool.create(() => {}).append(records.map((record) => encodeFrame(spoolRecord(record))))
}

/** All records of the spool are written by the next process that starts. */
async function replay(): Promise<void> {
  const usage = createUsageLogger({ enabled: true, databaseUrl: database.connectionString, spoolDir, logger: quiet })
  while (readdirSync(spoolDir).some((name) => name.endsWith('.spool'))) await usage.flush()
  await usage.close()
}

const usersOf = async (table: string) =>
  (await database.query(`select distinct user_email from ${table} order by 1`)).map((row) => row.user_email)
const textOfSpool = () =>
  readdirSync(spoolDir)
    .map((name) => readFileSync(join(spoolDir, name), 'latin1'))
    .join('\n')

test('E1: whoever is erased does not come back, by a replay of the spool, a late write, a dead letter or a restore', async () => {
  const stored = [recordOf(ann), recordOf(' Ann@Example.COM'), recordOf(bob)]
  const unwritten = [recordOf(ann), recordOf(bob)]
  const poison = recordOf(ann)
  await write(stored)
  await keepDeadLetter(recordOf(ann))
  leaveInSpool([...stored, ...unwritten])
  await database.query('create table backup as select * from token_usage_logs')

  const receipt = await eraseUser(database.pool, ann)
  await replay()
  await write([...stored, ...unwritten])
  await keepDeadLetter(poison)
  await retryDeadLetters(database.pool)
  await database.query('insert into token_usage_logs select * from backup on conflict do nothing')
  await database.query('drop table backup')

  expect(receipt).toMatchObject({ rows: 2, dailySums: 2, deadLetters: 1, anonymizedAs: null, spool: null })
  expect((await textOfDatabase(database)).toLowerCase()).not.toContain('ann@')
  expect(readdirSync(spoolDir).filter((name) => name.endsWith('.spool'))).toEqual([])
  expect(await usersOf('token_usage_logs')).toEqual([bob])
  expect(await verify(database.pool)).toMatchObject({ rows: 2, differences: 0, refusals: { erasures: 1 } })
  expect((await verify(database.pool)).refusals.erased).toBeGreaterThanOrEqual(3 + 3 + 1)
  expect(await verifyErasure(database.pool, ann, { spoolDir })).toMatchObject({ isComplete: true, mentions: 0 })
})

test('E1: a write that had begun before is waited for and erased, one that begins meanwhile is refused', async () => {
  const columns = '(timestamp, user_email, model_name, input_tokens, output_tokens, request_type)'
  const before = await database.pool.connect()
  const zombie = await database.pool.connect()
  await before.query('begin')
  await before.query(`insert into token_usage_logs ${columns} values (now(), $1, 'before', 1, 1, 'chat')`, [ann])
  await zombie.query('begin')
  const late = [`insert into token_usage_logs ${columns} values (now(), $1, 'late', 1, 1, 'chat')`, [ann]] as const

  const erasing = eraseUser(database.pool, ann)
  await untilBlocked(database)
  const writing = zombie.query(late[0], [...late[1]])
  await untilBlocked(database, { sessions: 2 })
  await before.query('commit')
  await writing
  await zombie.query('commit')
  before.release()
  zombie.release()

  expect(await erasing).toMatchObject({ rows: 1 })
  expect(await database.query('select user_email, model_name from token_usage_logs')).toEqual([])
  expect(await verify(database.pool)).toMatchObject({ differences: 0, refusals: { erased: 1 } })
})

test.each(['repeatable read', 'serializable'])(
  'E1: a write that waits for an erasure is refused where transactions are %s by default',
  async (isolation) => {
    const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
    const pool = new pg.Pool({ connectionString: database.connectionString, options })
    const before = await database.pool.connect()
    await before.query('begin; lock table token_usage_logs in row exclusive mode')

    const erasing = eraseUser(database.pool, ann)
    await untilBlocked(database)
    const writing = new PostgresUsageExporter(pool, 'owned').export([recordOf(ann), recordOf(bob)])
    await untilBlocked(database, { sessions: 2 })
    await before.query('commit')
    before.release()
    await Promise.all([erasing, writing])
    await pool.end()

    expect(await usersOf('token_usage_logs')).toEqual([bob])
  },
)

test('calls after the erasure are recorded again, and verify tells them from what is left', async () => {
  await write([recordOf(ann), recordOf(bob)])
  await eraseUser(database.pool, ann)

  await write([recordOf(ann, { timestamp: Date.now() + 60_000 })])
  const verification = await verifyErasure(database.pool, ann)

  expect(await usersOf('token_usage_daily')).toEqual([ann, bob])
  expect(verification).toMatchObject({ rows: 0, dailySums: 0, rowsSince: 1, isComplete: true, spool: null })
})

test('an import of a user who was erased, or of a pruned day, is told to have been refused', async () => {
  await eraseUser(database.pool, ann)
  const line = (userEmail: string, timestamp: string, more: object = {}) => ({
    line: 1,
    text: '',
    fields: { modelName: 'm', inputTokens: '1', outputTokens: '1', userEmail, timestamp, ...more },
  })
  async function* lines() {
    yield line(' Ann@Example.COM', '2026-01-01T00:00:00Z')
    yield line(ann, '2100-01-01T00:00:00Z')
    yield line(bob, '2026-01-01T00:00:00Z', { idempotencyKey: 'k' })
    yield line(bob, '2026-01-01T00:00:00Z', { idempotencyKey: 'k' })
    yield line(bob, '2025-05-31T23:59:59Z')
  }

  await prune(database.pool, { day: '2025-06-01', startsAt: '2025-06-01T00:00:00Z' })

  const dryRun = await importUsage(database.pool, lines(), { mode: 'dry-run' })
  const result = await importUsage(database.pool, lines())

  expect(result).toEqual({ mode: 'run', read: 5, imported: 2, present: 1, rejected: 0, refused: 2 })
  expect(dryRun).toEqual({ ...result, mode: 'dry-run' })
  expect(await database.query('select from token_usage_logs')).toHaveLength(2)
})

test('an erasure removes the damaged segments that were set aside, for nobody can tell whose they are', async () => {
  const bad = join(spoolDir, 'bad')
  leaveInSpool([recordOf(ann)])
  leaveInSpool([recordOf(bob)])
  mkdirSync(bad, { mode: 0o700 })
  for (const name of readdirSync(spoolDir).filter((entry) => entry.endsWith('.spool'))) {
    renameSync(join(spoolDir, name), join(bad, name))
  }

  const before = await verifyErasure(database.pool, ann, { spoolDir })
  const receipt = await eraseUser(database.pool, ann, { spoolDir })
  const after = await verifyErasure(database.pool, ann, { spoolDir })

  expect([before.spool, receipt.spool]).toEqual([
    { records: 1, inUse: 0, unreadable: 0 },
    { records: 1, inUse: 0, unreadable: 0 },
  ])
  expect(readdirSync(bad)).toEqual([])
  expect(after).toMatchObject({ spool: { records: 0 }, isComplete: true })
})

test('an erasure with the spool takes the frames out of what nobody writes, and leaves all others and running processes alone', async () => {
  const [mine, kept] = [
    [recordOf(ann), recordOf(ann.toUpperCase())],
    [recordOf(bob), recordOf(bob)],
  ]
  leaveInSpool([mine[0], kept[0], mine[1], kept[1]] as UsageRecord[])
  leaveInSpool([recordOf(ann)])
  leaveInSpool([recordOf(ann)], 'running')
  writeFileSync(join(spoolDir, 'of-a-killed-erasure.spool.part'), ann)
  const found = await findUserData(database.pool, ann, { spoolDir })

  const receipt = await eraseUser(database.pool, ann, { spoolDir })

  expect(found.spool).toEqual({ records: 3, inUse: 1, unreadable: 0 })
  expect(receipt.spool).toEqual({ records: 3, inUse: 1, unreadable: 0 })
  expect(textOfSpool().match(/ann@/gi)).toHaveLength(1)
  expect(textOfSpool().match(/bob@/g)).toHaveLength(2)
  expect(await database.query('select spooled from token_erasures')).toEqual([{ spooled: '3' }])
  const left = await verifyErasure(database.pool, ann, { spoolDir })
  expect(left).toMatchObject({ spool: { records: 0, inUse: 1 }, isComplete: false })
})

test('a torn frame of the user is taken out of a segment as well, and the rest of the damage stays to be counted', async () => {
  const torn = encodeFrame(spoolRecord(recordOf(ann)))
  const spool = new SpoolDirectory(spoolDir, {
    self: { ...createLiveness().self, startedAt: '1' },
    stateOf: () => 'ended',
  })
  const segment: Segment = spool.create(() => {})
  segment.append([
    encodeFrame(spoolRecord(recordOf(bob))),
    Buffer.from('damage'),
    encodeFrame(spoolRecord(recordOf(bob))),
    torn.subarray(0, torn.length - 9),
  ])

  await eraseUser(database.pool, ann, { spoolDir })

  expect(textOfSpool()).not.toContain('ann@')
  expect(textOfSpool()).toContain('damage')
  expect(textOfSpool().match(/bob@/g)).toHaveLength(2)
})

test('anonymized rows keep their numbers under a name that tells nothing, their sums move along, kept ones too', async () => {
  const day = 86_400_000
  const secrets = {
    sessionId: 'session-of-ann',
    operationId: 'op-of-ann',
    responseId: 'answer-of-ann',
    metadata: { ann },
  }
  const old = [ann, 'ANN@example.com'].map((user) => recordOf(user, { timestamp: Date.now() - 50 * day, ...secrets }))
  const recent = [ann, 'ANN@example.com', bob].map((user) => recordOf(user, { ...secrets, metadata: { plan: 'pro' } }))
  await write([...old, ...recent])
  await prune(database.pool, await findPruneBoundary(database.pool, 30), { keepDaily: true })
  const totals = () =>
    database.query(
      `select day, sum(requests) as requests, sum(cost) as cost, min(first_at) as first, max(last_at) as last
      from token_usage_daily group by day order by day`,
    )
  const before = await totals()

  const receipt = await eraseUser(database.pool, ann, { anonymize: true })
  await write([...old, ...recent])

  expect(receipt).toMatchObject({ rows: 2, dailySums: 4, anonymizedAs: expect.stringMatching(/^erased-[0-9a-f]{12}$/) })
  expect(await usersOf('token_usage_logs')).toEqual([bob, receipt.anonymizedAs])
  expect(await usersOf('token_usage_daily')).toEqual([bob, receipt.anonymizedAs])
  expect(await totals()).toEqual(before)
  const [mine] = await database.query('select * from token_usage_logs where user_email = $1', [receipt.anonymizedAs])
  expect(mine).toMatchObject({ session_id: null, operation_id: null, response_id: null, metadata: null })
  expect(mine).toMatchObject({ input_tokens: 5, cost_estimate: '0.500000000000' })
  expect((await textOfDatabase(database)).toLowerCase()).not.toContain('ann@')
  expect(await verify(database.pool)).toMatchObject({ differences: 0, rows: 3 })
  expect(await verifyErasure(database.pool, ann)).toMatchObject({ isComplete: true })
})

test('nothing that is stored of an anonymized user tells how many rows to look for', async () => {
  await write([recordOf(ann), recordOf(ann), recordOf(bob)])

  await eraseUser(database.pool, ann, { anonymize: true })
  await eraseUser(database.pool, bob)

  expect(await database.query('select anonymized, usage_rows, daily_sums from token_erasures order by 1')).toEqual([
    { anonymized: false, usage_rows: '1', daily_sums: '1' },
    { anonymized: true, usage_rows: null, daily_sums: null },
  ])
})

test('rows without event ids, of several days and models, go with all their sums, and those of others do not change', async () => {
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    select now() - n * interval '7 hours', case n % 3 when 0 then $1 when 1 then $2 else $3 end, 'm' || n % 4, n, 1, 'chat'
    from generate_series(1, 500) as n`,
    [ann, bob, `x${ann}`],
  )
  const ofOthers = () =>
    database.query('select * from token_usage_daily where user_email <> $1 order by 1, 2, 4', [ann])
  const before = await ofOthers()

  const receipt = await eraseUser(database.pool, ann)

  expect(receipt.rows).toBe(166)
  expect(await ofOthers()).toEqual(before)
  expect(await usersOf('token_usage_logs')).toEqual([bob, `x${ann}`])
  expect(await verify(database.pool)).toMatchObject({ differences: 0 })
})

test('what is left is found: rows, sums, dead letters, and texts of others that name the user', async () => {
  await write([
    recordOf(ann),
    recordOf(bob, { metadata: { sharedWith: ['Ann@example.com'] } }),
    recordOf(bob, { metadata: { sharedWith: ['joann@example.com', 'ann@example.community'] } }),
    recordOf(bob, { operationId: `mail to ${ann}.` }),
  ])
  await keepDeadLetter(recordOf(ann, { metadata: { broken: 'half \ud800 and \0' } }))
  await keepDeadLetter(recordOf(bob, { metadata: { about: ann } }))

  const before = await verifyErasure(database.pool, ann)
  const receipt = await eraseUser(database.pool, ann)
  const after = await verifyErasure(database.pool, ann)
  const number = await verifyErasure(database.pool, '42')

  expect(before).toMatchObject({
    erasedAt: null,
    rows: 1,
    dailySums: 1,
    deadLetters: 1,
    mentions: 3,
    isComplete: false,
  })
  expect(receipt).toMatchObject({ rows: 1, deadLetters: 1 })
  expect(after).toMatchObject({ erasedAt: receipt.erasedAt, rows: 0, dailySums: 0, deadLetters: 0, mentions: 3 })
  expect(after.isComplete).toBe(false)
  expect(number).toMatchObject({ mentions: null, isComplete: true })
})

test('the hash is of this database alone, the same for every spelling, and nothing in it or in the receipt is the user', async () => {
  const other = await createTestDatabase()
  await other.query(`update token_usage_settings set erasure_salt = 'another'`)

  const receipts = [
    await eraseUser(database.pool, ann),
    await eraseUser(database.pool, ' ANN@Example.com\n'),
    await eraseUser(other.pool, ann),
  ]

  expect(new Set(receipts.map(({ userHash }) => userHash)).size).toBe(2)
  expect(receipts[0]?.userHash).toBe(receipts[1]?.userHash)
  expect(JSON.stringify(receipts).toLowerCase()).not.toContain('ann')
  expect(await textOfDatabase(database)).not.toContain('ann@')
  await other.drop()
})

test('a spool that is not safe to use is said before anything is erased', async () => {
  await write([recordOf(ann)])
  symlinkSync(directory, spoolDir)

  const erasing = eraseUser(database.pool, ann, { spoolDir })

  await expect(erasing).rejects.toMatchObject({ code: 'TOKENLEDGER_SPOOL' })
  expect(await usersOf('token_usage_logs')).toEqual([ann])
  expect(await database.query('select from token_erasures')).toEqual([])
})

test.each(['', '  ', 'anonymous', ' Anonymous '])('nobody is erased by the name %j', async (user) => {
  await expect(eraseUser(database.pool, user)).rejects.toMatchObject({ code: 'TOKENLEDGER_NO_USER' })
  expect(await database.query('select from token_erasures')).toEqual([])
})

test('a program that may only insert goes on doing so, and its late rows of an erased user are refused', async () => {
  await eraseUser(database.pool, ann)
  const client = await database.pool.connect()
  await client.query(`
    begin;
    create role erase_test_writer;
    grant insert on token_usage_logs to erase_test_writer;
    grant usage on sequence token_usage_logs_id_seq to erase_test_writer;
    set local role erase_test_writer`)

  await client.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    values ('2026-01-01Z', '${ann}', 'm', 1, 1, 'chat'), (now(), '${bob}', 'm', 1, 1, 'chat')`,
  )

  const { rows } = await client
    .query('reset role; select user_email from token_usage_logs')
    .then((results) => (results as unknown as { rows: object[] }[]).at(-1) ?? { rows: [] })
  expect(rows).toEqual([{ user_email: bob }])
  client.release(true)
})
