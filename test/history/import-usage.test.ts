import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ColumnMap, ImportLine } from '../../src/history/import-line.js'
import { type ImportRun, importUsage, type RejectedLine } from '../../src/history/import-usage.js'
import { readCsv } from '../../src/history/read-csv.js'
import { readNdjson } from '../../src/history/read-ndjson.js'
import { verify } from '../../src/postgres/verify.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
beforeEach(() => database.query('truncate token_usage_logs'))
afterAll(() => database.drop())

const ndjson = (text: string, map?: ColumnMap) => readNdjson(Readable.from([Buffer.from(text)]), map)
const csv = (text: string, map?: ColumnMap) => readCsv(Readable.from([Buffer.from(text)]), map)
const jsonLines = (...lines: unknown[]) => ndjson(lines.map((line) => JSON.stringify(line)).join('\n'))
const call = { timestamp: '2025-03-04T05:06:07.089Z', modelName: 'm', inputTokens: 1, outputTokens: 2 }

async function run(source: AsyncIterable<ImportLine>, options: ImportRun = {}) {
  const rejects: RejectedLine[] = []
  const result = await importUsage(database.pool, source, { ...options, onReject: (line) => void rejects.push(line) })
  return { ...result, rejects }
}

describe('an import', () => {
  test('keeps the time, the counts and the cost of a line, and says that it was imported', async () => {
    const line = {
      timestamp: '2025-03-04 05:06:07.089123+02',
      user_email: 'ada@example.com',
      model_name: 'gpt-4o',
      input_tokens: '100',
      outputTokens: 20,
      cache_read_tokens: 40,
      cost_estimate: '0.000000123456',
      cost_source: 'provider',
      status: 'error',
      usage_source: 'provider',
      duration_ms: 1500,
      metadata: { team: 'x' },
      prompt: 'a secret',
    }

    await run(jsonLines(line))

    const [row] = await database.query('select *, timestamp::text, cost_estimate::text as cost from token_usage_logs')
    expect(row).toMatchObject({
      user_email: 'ada@example.com',
      model_name: 'gpt-4o',
      input_tokens: 100,
      output_tokens: 20,
      cache_read_tokens: 40,
      cost: '0.000000123456',
      cost_source: 'provider',
      status: 'error',
      usage_source: 'imported',
      duration_ms: 1500,
      metadata: { team: 'x' },
    })
    expect(new Date(row?.timestamp).toISOString()).toBe('2025-03-04T03:06:07.089Z')
    expect(JSON.stringify(row)).not.toContain('secret')
    expect(await verify(database.pool)).toMatchObject({ rows: 1, differences: 0 })
  })

  test('of the same lines twice adds them once, in any order and spelling', async () => {
    const other = { ...call, modelName: 'n' }
    const first = await run(jsonLines(call, other, call))
    const second = await run(
      csv(
        'output_tokens,model_name,input_tokens,timestamp\n2,n,1,2025-03-04T05:06:07.089Z\n2,m,1,2025-03-04T05:06:07.089Z\n2,m,1,2025-03-04T06:06:07.089+01:00\n',
      ),
    )
    const third = await run(jsonLines(call, call, call))

    expect(first).toMatchObject({ read: 3, imported: 3, present: 0, rejected: 0 })
    expect(second).toMatchObject({ read: 3, imported: 0, present: 3 })
    expect(third).toMatchObject({ read: 3, imported: 1, present: 2 })
    expect(
      await database.query('select count(*)::int as rows, count(distinct event_id)::int as ids from token_usage_logs'),
    ).toEqual([{ rows: 4, ids: 4 }])
  })

  test('knows a call by its idempotency key, as log() does, or by its event id', async () => {
    const eventId = '01890a5d-ac96-774b-bcce-b302099a8057'

    const first = await run(
      jsonLines(
        { ...call, idempotencyKey: 'k' },
        { ...call, idempotency_key: 'k', inputTokens: 9 },
        { ...call, event_id: eventId },
      ),
    )
    const second = await run(jsonLines({ ...call, idempotencyKey: 'k' }, { ...call, event_id: eventId.toUpperCase() }))

    expect(first).toMatchObject({ read: 3, imported: 2, present: 1 })
    expect(second).toMatchObject({ read: 2, imported: 0, present: 2 })
  })

  test('changes nothing in a dry run, and tells what it would do', async () => {
    await run(jsonLines(call))

    const result = await run(jsonLines(call, call, { ...call, modelName: '' }), { mode: 'dry-run' })

    expect(result).toMatchObject({ mode: 'dry-run', read: 3, imported: 1, present: 1, rejected: 1 })
    expect(await database.query('select count(*)::int as rows from token_usage_logs')).toEqual([{ rows: 1 }])
  })

  test('stores a count that the source calls unknown as unknown', async () => {
    const { timestamp, modelName } = call

    const result = await run(jsonLines({ timestamp, modelName, usage_source: 'unknown' }, { timestamp, modelName }))

    expect(result).toMatchObject({ imported: 1, rejected: 1 })
    expect(await database.query('select usage_source, input_tokens from token_usage_logs')).toEqual([
      { usage_source: 'unknown', input_tokens: 0 },
    ])
  })

  test('that fails in the middle leaves nothing', async () => {
    async function* breaking(): AsyncGenerator<ImportLine> {
      yield* jsonLines(...Array.from({ length: 1500 }, (_, n) => ({ ...call, inputTokens: n })))
      throw new Error('the disk is gone')
    }

    await expect(run(breaking())).rejects.toThrow('the disk is gone')
    expect(await database.query('select from token_usage_logs')).toEqual([])
  })
})

describe('a line that cannot be stored as it stands is rejected', () => {
  test.each([
    [{ timestamp: undefined }, 'timestamp is missing'],
    [{ timestamp: 'yesterday' }, 'timestamp is "yesterday" and not a time such as'],
    [{ timestamp: '2025-02-30T12:00:00Z' }, 'timestamp is "2025-02-30T12:00:00Z" and not a time such as'],
    [{ timestamp: '2025-06-31 12:00:00+0200' }, 'timestamp is "2025-06-31 12:00:00+0200" and not a time such as'],
    [
      { timestamp: 1_700_000_000 },
      'timestamp is 1700000000 and not a time such as 2026-01-31T12:00:00Z, or milliseconds',
    ],
    [{ modelName: ' ' }, 'modelName is missing'],
    [{ inputTokens: -1 }, 'inputTokens is -1 and not a whole number from 0 to 2147483647'],
    [{ inputTokens: '1e3' }, 'inputTokens is "1e3" and not'],
    [{ outputTokens: 2 ** 31 }, 'outputTokens is 2147483648 and not'],
    [{ costEstimate: -0.1 }, 'costEstimate is -0.1 and not an amount of US dollars'],
    [{ costEstimate: 'free' }, 'costEstimate is "free" and not'],
    [{ costSource: 'me' }, 'costSource is "me" and not one of provider, list, override, entry'],
    [{ status: 'done' }, 'status is "done" and not one of ok, error, aborted'],
    [{ userEmail: 'x'.repeat(321) }, 'and not a text of at most 320 characters'],
    [{ metadata: [1] }, 'metadata is [1] and not a JSON object'],
    [{ eventId: '7' }, 'eventId is "7" and not a UUID'],
    [
      { cacheReadTokens: 5 },
      'cacheReadTokens and cacheWriteTokens come to 5, more than the 1 inputTokens that include them',
    ],
  ])('%j', async (fields, reason) => {
    const { rejects, imported } = await run(jsonLines({ ...call, ...fields }))

    expect(imported).toBe(0)
    expect(rejects[0]?.reason).toContain(reason)
    expect(rejects[0]?.line).toBe(1)
  })

  test('that is in another encoding than UTF-8, of a CSV and of NDJSON, while those that are not touched by it are taken', async () => {
    const latin1 = (text: string) => Readable.from([Buffer.from(text, 'latin1')])
    const lines = [
      { ...call, userEmail: 'Müller' },
      { ...call, userEmail: 'Muller' },
    ]
    const header = 'timestamp,user_email,model_name,input_tokens,output_tokens'

    const first = await run(readNdjson(latin1(lines.map((line) => JSON.stringify(line)).join('\n'))))
    const second = await run(readCsv(latin1(`${header}\n2025-03-05,Müller,m,1,2\n2025-03-05,Muller,m,1,2\n`)))

    for (const { imported, rejects } of [first, second]) {
      expect(imported).toBe(1)
      expect(rejects.map(({ reason }) => reason)).toEqual(['it is not in UTF-8'])
    }
    expect(await database.query('select distinct user_email from token_usage_logs')).toEqual([{ user_email: 'Muller' }])
  })

  test('all of its reasons at once, with its text, while the others are imported', async () => {
    const text = `\ufeff${JSON.stringify(call)}\r\n\n{"modelName":\n[1]\n{"modelName":"m","inputTokens":"x"}\n"${'y'.repeat(1_100_000)}"\n${JSON.stringify(call)}`

    const { rejects, imported } = await run(ndjson(text))

    expect(imported).toBe(2)
    expect(rejects).toEqual([
      { line: 3, reason: 'it is no JSON object', text: '{"modelName":' },
      { line: 4, reason: 'it is no JSON object', text: '[1]' },
      {
        line: 5,
        reason:
          'inputTokens is "x" and not a whole number from 0 to 2147483647; timestamp is missing; outputTokens is missing',
        text: '{"modelName":"m","inputTokens":"x"}',
      },
      { line: 6, reason: 'it is longer than 1048576 characters', text: '' },
    ])
  })
})

describe('a CSV', () => {
  const header = 'When,Who,model_name,input_tokens,output_tokens,cost_estimate'
  const map = { When: 'timestamp', Who: 'user_email' }

  test('has its columns mapped, and numbers as spreadsheets write them', async () => {
    const text = `\ufeff${header}\r\n2025-03-04,"Lovelace, ""Ada""\nof London",gpt-4o,10,5,1.5e-05\r\n2025-03-04 10:00,bob,gpt-4o,10,,0\r\n`

    const { rejects, imported } = await run(csv(text, map))

    expect(imported).toBe(1)
    expect(rejects).toEqual([{ line: 4, reason: 'outputTokens is missing', text: '2025-03-04 10:00,bob,gpt-4o,10,,0' }])
    expect(
      await database.query('select user_email, cost_estimate::text as cost, cost_source from token_usage_logs'),
    ).toEqual([{ user_email: 'Lovelace, "Ada"\nof London', cost: '0.000015000000', cost_source: 'entry' }])
  })

  test('rejects records that are no CSV or of another length', async () => {
    const text = `${header}\n2025-03-04,ada,m,1,2\n2025-03-04,a"da,m,1,2,0\n2025-03-04,bob,m,1,2,0\n2025-03-04,"cid,m,1,2,0\n`

    const { rejects, imported, read } = await run(csv(text, map))

    expect({ read, imported }).toEqual({ read: 4, imported: 1 })
    expect(rejects.map(({ line, reason }) => [line, reason]).sort()).toEqual([
      [2, 'it has 5 columns and the header 6'],
      [3, 'it is no CSV (INVALID_OPENING_QUOTE)'],
      [5, 'it is no CSV (CSV_QUOTE_NOT_CLOSED)'],
    ])
  })

  test.each([
    [
      'a,b\n1,2\n',
      {},
      'The CSV has no column for timestamp and modelName and inputTokens and outputTokens. It has a, b;',
    ],
    [`${header}\n`, { ...map, Whom: 'userEmail' }, 'The CSV has no column Whom.'],
    [`${header}\n`, { ...map, Who: 'person' }, 'There is no field "person" to import to. The fields are eventId,'],
  ])('whose header does not fit is not imported at all', async (text, columns, message) => {
    await expect(run(csv(text, columns as ColumnMap))).rejects.toThrow(message)
  })
})
