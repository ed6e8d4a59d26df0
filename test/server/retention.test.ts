import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startRetention } from '../../src/server/retention.js'

const dayMs = 86_400_000
const nothing = { rows: 0, dailySums: 0, deadLetters: 0 }
const lines: { level: string; fields: object; message: string }[] = []
const keep = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
const logger = { info: keep('info'), warn: keep('warn'), error: keep('error') }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  lines.length = 0
})

test('it prunes at once and then once a day, until it is stopped', async () => {
  const prune = vi.fn(async () => nothing)
  const retention = startRetention({ prune, logger })
  await vi.advanceTimersByTimeAsync(0)
  const atOnce = prune.mock.calls.length
  await vi.advanceTimersByTimeAsync(3 * dayMs)
  const afterThreeDays = prune.mock.calls.length

  await retention.stop()
  await vi.advanceTimersByTimeAsync(3 * dayMs)

  expect([atOnce, afterThreeDays, prune.mock.calls.length]).toEqual([1, 4, 4])
  expect(vi.getTimerCount()).toBe(0)
})

test('to stop it is to wait for the chunk that runs', async () => {
  let endChunk = () => {}
  const prune = async (signal: AbortSignal) => {
    await new Promise<void>((resolve) => {
      endChunk = resolve
    })
    return { ...nothing, rows: signal.aborted ? 10 : 20 }
  }
  const retention = startRetention({ prune, logger })
  await vi.advanceTimersByTimeAsync(0)

  const stopping = retention.stop()
  endChunk()
  await stopping

  expect(lines).toMatchObject([{ level: 'info', fields: { rows: 10 } }])
})

test('a failure is one line with its code, another process at it is none, and the next day tries again', async () => {
  const errors = [Object.assign(new Error('values of rows'), { code: '42P01' }), { code: 'TOKENLEDGER_BUSY' }]
  const prune = async () => {
    const error = errors.shift()
    if (error) throw error
    return nothing
  }

  const retention = startRetention({ prune, logger })
  await vi.advanceTimersByTimeAsync(2 * dayMs)
  await retention.stop()

  expect(lines.map(({ level, fields }) => [level, fields])).toEqual([
    ['error', { code: '42P01' }],
    ['info', {}],
    ['info', nothing],
  ])
  expect(JSON.stringify(lines)).not.toContain('values of rows')
})
