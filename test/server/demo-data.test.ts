import { expect, it } from 'vitest'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'
import { logDemoData } from '../../src/server/demo-data.js'

const now = Date.parse('2026-03-31T00:00:00Z')

it('logs ninety plausible days, the same for the same time', async () => {
  const [one, other] = [await collect(), await collect()]

  expect(one.records).toHaveLength(one.count)
  expect(one.records.map(({ eventId, ...record }) => record)).toEqual(
    other.records.map(({ eventId, ...record }) => record),
  )
  expect(new Set(one.records.map(({ timestamp }) => Math.floor(timestamp / 86_400_000))).size).toBe(90)
  expect(one.records.every(({ timestamp }) => timestamp < now)).toBe(true)
  expect(new Set(one.records.map(({ status }) => status))).toEqual(new Set(['ok', 'error', 'aborted']))
  expect(one.records.every((record) => (record.cacheReadTokens ?? 0) <= record.inputTokens)).toBe(true)
})

async function collect() {
  const exporter = new MemoryExporter()
  const usage = createUsageLogger({ enabled: true, exporter, logger: { info() {}, warn() {}, error() {} } })
  const count = await logDemoData(usage, now)
  await usage.close()
  return { count, records: exporter.records }
}
