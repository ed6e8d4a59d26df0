import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { ExportError } from '../../src/errors.js'
import { BatchProcessor } from '../../src/recording/batch-processor.js'
import { MemoryExporter } from '../../src/recording/memory-exporter.js'
import { PendingRecords } from '../../src/recording/pending-records.js'
import { draftRecord } from '../../src/usage/draft-record.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const fresh = (text: string) => Buffer.from(text).toString()
const texts = ['userEmail', 'sessionId', 'modelName', 'requestType', 'provider', 'operation', 'operationId', 'project']
const counts = ['inputTokens', 'outputTokens', 'cacheReadTokens', 'cacheWriteTokens', 'reasoningTokens']

// What else is on the heap by then, compiled code above all, is a twentieth of it.
const enoughBytes = 4_000_000

/** Entries of every size and oddity: what the queue counts for them has to hold for each. */
const entries: Record<string, (row: number) => object> = {
  'the smallest': () => ({}),
  'an ordinary one': (row) => ({
    modelName: 'gpt-4o-mini',
    userEmail: fresh(`ann${row}@example.com`),
    sessionId: fresh(`session-${row}-abcdef`),
    inputTokens: 1500,
    outputTokens: 350,
  }),
  'one with raw usage': (row) => ({
    modelName: fresh('gpt-4o-mini-2024-07-18'),
    inputTokens: 1500,
    outputTokens: 350,
    durationMs: row + 0.5,
    responseId: fresh(`chatcmpl-${row}-abcdefghijklmnop`),
    rawUsage: { prompt_tokens: 1500, completion_tokens: 350, prompt_tokens_details: { cached_tokens: row } },
  }),
  'one whose counts are none': (row) => Object.fromEntries(counts.map((field) => [field, row + 0.5])),
  'one of long texts': (row) => Object.fromEntries(texts.map((field) => [field, fresh(`${row} ${'日'.repeat(2000)}`)])),
  'one of texts that need cleaning': (row) =>
    Object.fromEntries(texts.map((field) => [field, fresh(`${row} ${'é\0'.repeat(100)}`)])),
  'one with 8 KB of metadata': (row) => ({ metadata: { row, text: fresh('x'.repeat(8000)) } }),
}

function heldBytes(): number {
  for (let time = 0; time < 3; time++) collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

describe('the records in memory', () => {
  it.each(Object.entries(entries))('take no more than is counted for them, and not far less: %s', (_, entry) => {
    const pending = new PendingRecords(Number.MAX_SAFE_INTEGER)
    const before = heldBytes()

    while (pending.bytes < enoughBytes) pending.push(draftRecord(entry(pending.count), {}, Date.now()))
    pending.peek(pending.count)
    pending.copyTexts()
    const held = heldBytes() - before

    expect(held).toBeLessThanOrEqual(pending.bytes)
    expect(held).toBeGreaterThan(pending.bytes / 4)
  })

  it('are forgotten when they are settled, and so are their bytes', () => {
    const pending = new PendingRecords(Number.MAX_SAFE_INTEGER)
    const before = heldBytes()

    for (let row = 0; row < 900; row++) {
      pending.push(draftRecord({ metadata: { row, text: fresh('x'.repeat(8000)) } }, {}, Date.now()))
    }
    pending.settle(899)
    const held = heldBytes() - before
    const left = pending.count
    pending.settle(1)

    expect(left).toBe(1)
    expect(held).toBeLessThan(2_000_000)
    expect(pending.bytes).toBe(0)
  })

  it('let go of what their texts were cut out of', () => {
    const pending = new PendingRecords(Number.MAX_SAFE_INTEGER)
    const before = heldBytes()

    for (let row = 0; row < 100; row++) {
      const body = fresh(`user${row}@example.com ${'x'.repeat(1_000_000)}`)
      pending.push(draftRecord({ userEmail: body.slice(0, 17), modelName: body.slice(0, 15) }, {}, Date.now()))
    }
    pending.peek(50)
    pending.copyTexts()
    const held = heldBytes() - before

    expect(pending.count).toBe(100)
    expect(held).toBeLessThan(5_000_000)
  })

  it('let go of it as soon as the store fails, and for as long as it does', async () => {
    const exporter = new MemoryExporter()
    exporter.export = () => Promise.reject(new ExportError('passing', 'TEST', 'as told'))
    const settings = { batchSize: 1000, maxBatchSize: 10, flushIntervalMs: 60_000, maxMemoryMb: 32 }
    const processor = new BatchProcessor(settings, exporter, { info: () => {}, warn: () => {}, error: () => {} })
    const before = heldBytes()
    const push = (row: number) => {
      const body = fresh(`user${row}@example.com ${'x'.repeat(1_000_000)}`)
      processor.push(draftRecord({ userEmail: body.slice(0, 17) }, {}, Date.now()))
    }

    for (let row = 0; row < 30; row++) push(row)
    await processor.flush()
    for (let row = 0; row < 30; row++) push(row)
    const held = heldBytes() - before
    const { pending } = processor.stats()
    await processor.close(0)

    expect(pending).toBe(60)
    expect(held).toBeLessThan(5_000_000)
  })
})
