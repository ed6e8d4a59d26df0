import fc from 'fast-check'
import { expect, it } from 'vitest'
import { restoreRecord, spoolRecord } from '../../../src/recording/spool/spooled-record.js'
import { draftRecord } from '../../../src/usage/draft-record.js'
import { toUsageRecord } from '../../../src/usage/to-usage-record.js'

const recordOf = (entry: object) => toUsageRecord(draftRecord(entry, {}, Date.UTC(2026, 1, 1)))
const restore = (value: unknown) => restoreRecord(Buffer.from(JSON.stringify(value) ?? 'undefined'))
const fields = Object.keys(recordOf({})).concat('idempotencyKey')

it('brings a record of ours back as it was, its id and its time too', () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.double(),
    fc.nat(),
    fc.object({ maxDepth: 3 }),
    fc.constantFrom('ok', 'aborted', 'provider_partial', 'list', '0.000000120001', 3e9, -1),
  )

  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...fields), value), (entry) => {
      const record = recordOf(entry)
      expect(restoreRecord(Buffer.from(spoolRecord(record)))).toEqual(record)
    }),
    { numRuns: 500 },
  )
})

it('brings metadata that was cut off back as it was', () => {
  const long = fc.dictionary(fc.string({ maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 9000 }), {
    minKeys: 1,
    maxKeys: 90,
  })

  fc.assert(
    fc.property(long, (metadata) => {
      const record = recordOf({ metadata })
      expect(restoreRecord(Buffer.from(spoolRecord(record)))?.metadata).toBe(record.metadata)
    }),
    { numRuns: 500 },
  )
})

it('brings anything else within the bounds of the table, or finds no record in it', () => {
  const anything = fc.anything()
  const entry = fc.oneof(anything, fc.dictionary(fc.constantFrom(...fields, '__proto__'), anything))

  fc.assert(
    fc.property(entry, (value) => {
      const record = restore(value)
      if (record === undefined) return
      expect(recordOf({ ...record, metadata: undefined, rawUsage: undefined })).toMatchObject({
        userEmail: record.userEmail,
        inputTokens: record.inputTokens,
        costEstimate: record.costEstimate,
        timestamp: record.timestamp,
      })
      expect(record.eventId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
      expect(Buffer.byteLength(record.metadata ?? '')).toBeLessThanOrEqual(8192)
    }),
    { numRuns: 1000 },
  )
})

it('takes no byte for what is not known', () => {
  const text = spoolRecord(recordOf({ modelName: 'm', inputTokens: 1, outputTokens: 1 }))

  expect(text).not.toContain('null')
})

it('gives a record without a usable id the same one each time it is read', () => {
  const stranger = { ...recordOf({ modelName: 'm' }), eventId: "'; drop table token_usage_logs" }

  expect(restore(stranger)?.eventId).toBe(restore(stranger)?.eventId)
  expect(restore(stranger)?.eventId).toMatch(/^[0-9a-f-]{36}$/)
})

it.each(['', '[]', 'null', '7', '{"a":', '\ufffd'])('finds no record in %j', (text) => {
  expect(restoreRecord(Buffer.from(text))).toBeUndefined()
})

it('brings a cost back with the parts that make it up, and without any that do not', () => {
  const cost = { costEstimate: '0.3', costSource: 'list', inputCost: '0.1', outputCost: '0.2', otherCost: '0' }
  const record = { ...recordOf(cost), inputCost: '0.1', outputCost: '0.2', otherCost: '0' }
  const none = { costEstimate: '0.3', inputCost: null, outputCost: null, otherCost: null }

  expect(restoreRecord(Buffer.from(spoolRecord(record)))).toEqual(record)
  for (const wrong of [{ inputCost: '0.2' }, { otherCost: undefined }, { inputCost: '-0.1' }, { inputCost: 0.1 }])
    expect(restore({ ...record, ...wrong })).toMatchObject(none)
})
