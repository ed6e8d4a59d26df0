import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { draftRecord } from '../../src/usage/draft-record.js'
import { formatPicoUsd, toPicoUsd } from '../../src/usage/pico-usd.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'
import type { UsageRecord } from '../../src/usage/usage-record.js'

const now = Date.UTC(2026, 0, 2, 3, 4, 5)
const recordOf = (entry: object): UsageRecord => toUsageRecord(draftRecord(entry, {}, now))

describe('a usage record', () => {
  it('carries what the entry says', () => {
    const record = recordOf({
      modelName: 'gpt-x',
      inputTokens: 12,
      outputTokens: 3,
      userEmail: 'ann@example.com',
      sessionId: 's1',
      costEstimate: 0.00000012,
      metadata: { feature: 'search' },
      timestamp: new Date('2026-01-01T00:00:00Z'),
    })

    expect(record).toMatchObject({
      modelName: 'gpt-x',
      inputTokens: 12,
      outputTokens: 3,
      userEmail: 'ann@example.com',
      sessionId: 's1',
      requestType: 'chat',
      costEstimate: '0.00000012',
      costSource: 'entry',
      status: 'ok',
      usageSource: 'entry',
      metadata: '{"feature":"search"}',
      timestamp: Date.UTC(2026, 0, 1),
      rawUsage: null,
    })
    expect(record.eventId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  })

  it('falls back to the caller of the request, then to anonymous', () => {
    const identity = { user: 'ann@example.com', session: 's', operation: 'summarise', project: 'p' }

    const record = toUsageRecord(draftRecord({ modelName: 'm', inputTokens: 1, outputTokens: 1 }, identity, now))

    expect(record).toMatchObject({ userEmail: 'ann@example.com', sessionId: 's', operation: 'summarise', project: 'p' })
    expect(recordOf({ modelName: 'm', inputTokens: 1, outputTokens: 1 }).userEmail).toBe('anonymous')
  })

  it.each([
    ['too large for an integer', 3_000_000_000, '3000000000'],
    ['negative', -9, '-9'],
    ['not a number', Number.NaN, 'NaN'],
    ['infinite', Number.POSITIVE_INFINITY, 'Infinity'],
    ['fractional', 1.5, '1.5'],
    ['a text', 'secret text', 'string'],
  ])('stores a count that is %s as unknown and keeps its number, never its text', (_, value, kept) => {
    const record = recordOf({ modelName: 'm', inputTokens: value, outputTokens: 5 })

    expect(record).toMatchObject({ inputTokens: 0, outputTokens: 5, usageSource: 'unknown' })
    expect(JSON.parse(record.rawUsage ?? '')).toEqual({ invalid: { inputTokens: kept } })
  })

  it('is the same record for the same idempotency key, however long the key is', () => {
    const entry = { modelName: 'm', inputTokens: 1, outputTokens: 1 }
    const long = 'k'.repeat(5000)

    const ids = ['a', 'a', `${long}1`, `${long}1`, `${long}2`].map(
      (key) => recordOf({ ...entry, idempotencyKey: key }).eventId,
    )

    expect(ids[0]).toBe(ids[1])
    expect(ids[2]).toBe(ids[3])
    expect(ids[2]).not.toBe(ids[4])
  })

  it('does not change when the entry is changed afterwards', () => {
    const entry = { modelName: 'm', inputTokens: 1, outputTokens: 1, metadata: { step: 1 } }

    const draft = draftRecord(entry, {}, now)
    entry.modelName = 'other'
    entry.metadata.step = 2

    expect(toUsageRecord(draft)).toMatchObject({ modelName: 'm', metadata: '{"step":1}' })
  })

  it('replaces what PostgreSQL refuses or would change in a text', () => {
    const record = recordOf({ modelName: 'a\0b\ud800', inputTokens: 1, outputTokens: 1, userEmail: 'x'.repeat(5000) })

    expect(record.modelName).toBe('a\ufffdb\ufffd')
    expect(record.userEmail).toHaveLength(320)
  })

  it('bounds metadata in bytes, keys and depth, and says that it did', () => {
    const deep = Array.from({ length: 20 }).reduce<object>((inner) => ({ inner }), { end: true })
    const wide = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`key${index}`, index]))
    const circular: Record<string, unknown> = {}
    circular.self = circular

    for (const metadata of [deep, wide, circular, { text: 'é'.repeat(1_000_000) }, { list: Array(100_000).fill({}) }]) {
      const text = recordOf({ modelName: 'm', inputTokens: 1, outputTokens: 1, metadata }).metadata ?? ''
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(8192)
      expect(JSON.parse(text)).toMatchObject({ truncated: true })
    }
  })

  it('keeps the name of what is too long, and leaves out what has a name that is too long', () => {
    const metadata = { text: 'é'.repeat(1_000_000), ['k'.repeat(300)]: 1 }

    const long = JSON.parse(recordOf({ metadata }).metadata ?? '')
    const named = recordOf({ metadata: { ['k'.repeat(300)]: 1, after: 2 } }).metadata

    expect(Object.keys(long)).toEqual(['text', 'truncated'])
    expect(named).toBe('{"after":2,"truncated":true}')
  })

  it.each<[string, unknown]>([
    ['an array with nothing in it but its length', new Array(2 ** 32 - 1)],
    ['an array of functions', Array(1_000_000).fill(() => {})],
    ['a buffer', new Uint8Array(50_000_000)],
    ['a number of a million digits', 2n ** 3_000_000n],
    [
      'what throws when it is read',
      {
        get secret() {
          throw new Error('no')
        },
      },
    ],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no')
          },
        },
      ),
    ],
  ])('takes %s as metadata, in bounded time and size, and keeps the row', (_, value) => {
    const record = recordOf({ modelName: 'm', inputTokens: 1, outputTokens: 1, metadata: { value } })

    expect(record).toMatchObject({ modelName: 'm', usageSource: 'entry' })
    expect(record.metadata?.length).toBeLessThanOrEqual(8192)
    expect(JSON.parse(record.metadata ?? '')).toMatchObject({ truncated: true })
  })

  it('does not change what objects inherit, whatever the metadata is named', () => {
    const metadata = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"ok":1}')

    const record = recordOf({ metadata })

    expect(record.metadata).toBe('{"ok":1}')
    expect({}).not.toHaveProperty('polluted')
  })

  it('takes a whole number of any kind as a text, and none of a million digits', () => {
    const record = recordOf({ modelName: 2n ** 3_000_000n, userEmail: 42, sessionId: 7n, timestamp: BigInt(now) })

    expect(record).toMatchObject({ modelName: 'unknown', userEmail: '42', sessionId: '7', timestamp: now })
  })

  it('holds texts of many bytes to what fits an index, in whole characters', () => {
    const record = recordOf({ userEmail: '日'.repeat(400), operation: '😀'.repeat(400), project: 'x'.repeat(400) })

    expect(record.userEmail).toBe('日'.repeat(160))
    expect(record.operation).toBe('😀'.repeat(96))
    expect(record.project).toHaveLength(256)
  })

  it('is made of any entry whatever, always within the bounds of the table', () => {
    const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true })
    const fields = Object.keys(recordOf({})).concat('idempotencyKey')
    const entries = fc.dictionary(
      fc.constantFrom(...fields),
      fc.oneof(anything, fc.double(), fc.string({ unit: 'binary' })),
    )

    fc.assert(
      fc.property(entries, (entry) => {
        const record = recordOf(entry)
        expect(Number.isInteger(record.inputTokens) && record.inputTokens >= 0).toBe(true)
        expect(record.userEmail.length).toBeGreaterThan(0)
        expect(record.userEmail.length).toBeLessThanOrEqual(320)
        expect(Number.isInteger(record.timestamp)).toBe(true)
        expect(JSON.stringify(record)).not.toContain('\\u0000')
        expect(JSON.parse(JSON.stringify(record))).toEqual(record)
      }),
      { numRuns: 500 },
    )
  })
})

describe('an amount of money', () => {
  it.each([
    [0.00000012, '0.00000012'],
    ['0.000000000001', '0.000000000001'],
    ['0.0000000000005', '0.000000000001'],
    ['0.0000000000004', '0'],
    [0.1, '0.1'],
    [1234567.5, '1234567.5'],
    [0, '0'],
  ])('%s is exactly %s', (value, text) => {
    const pico = toPicoUsd(value)

    expect(pico === null ? null : formatPicoUsd(pico)).toBe(text)
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 1e21, '1e5', '-1', '', 'ten', null, undefined, {}, '9000001'])(
    '%s is none',
    (value) => {
      const pico = toPicoUsd(value)

      expect(pico).toBeNull()
    },
  )

  it('comes back from its decimal text unchanged', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 9_000_000_000_000_000_000n }), (pico) => {
        expect(toPicoUsd(formatPicoUsd(pico))).toBe(pico)
      }),
    )
  })
})
