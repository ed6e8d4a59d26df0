import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createUsageLogger, MemoryExporter, type UsageLoggerOptions } from '../../src/index.js'
import { createIngest, type IngestParts } from '../../src/server/ingest.js'
import { digestOf } from '../../src/server/viewer.js'
import { serve } from './serve.js'

const token = 'the-ingest-token'
const call = { modelName: 'gpt-4o', inputTokens: 5, outputTokens: 7, userEmail: 'ann@example.com' }
const lines = (...entries: readonly unknown[]) => entries.map((entry) => JSON.stringify(entry)).join('\n')

describe('POST /usage', () => {
  it('takes one record as JSON, over several lines too', async () => {
    const { send, records } = await start()

    const answer = await send(JSON.stringify({ ...call, metadata: { team: 'a' } }, null, 2), 'application/json')

    expect(answer).toEqual({ status: 202, body: { accepted: 1, rejected: [] } })
    expect(await records()).toMatchObject([
      { modelName: 'gpt-4o', inputTokens: 5, outputTokens: 7, userEmail: 'ann@example.com' },
    ])
  })

  it('keeps the good lines, and answers each bad one with its number and reason', async () => {
    const { send, records } = await start()
    const body = [
      lines(call),
      'no json',
      '',
      lines({ ...call, inputTokens: -1 }),
      lines({ ...call, promt: 'secret words' }),
      lines({ modelName: 'x', inputTokens: 1 }),
      lines({ ...call, timestamp: 'yesterday' }),
      lines({ ...call, modelName: 'claude' }),
    ].join('\n')

    const { status, body: answer } = await send(body)

    expect(status).toBe(207)
    expect(answer).toMatchObject({
      accepted: 2,
      rejected: [{ line: 2 }, { line: 4 }, { line: 5 }, { line: 6 }, { line: 7 }],
    })
    expect(answer.rejected.map(({ reason }) => reason)).toEqual([
      'it is no JSON object',
      expect.stringContaining('inputTokens'),
      'unknown field "promt"',
      expect.stringContaining('outputTokens'),
      expect.stringContaining('timestamp'),
    ])
    expect(JSON.stringify(answer)).not.toContain('secret words')
    expect((await records()).map(({ modelName }) => modelName)).toEqual(['gpt-4o', 'claude'])
  })

  it('stores a body that is sent again once, and each of its lines', async () => {
    const { send, records } = await start()
    const headers = { 'Idempotency-Key': 'batch-1' }

    await send(lines(call, call), 'application/x-ndjson', headers)
    await send(lines(call, call), 'application/x-ndjson', headers)
    await send(lines({ ...call, idempotencyKey: 'own' }, { ...call, idempotencyKey: 'own' }))

    expect(new Set((await records()).map(({ eventId }) => eventId)).size).toBe(3)
  })

  it.each([
    ['seconds', 1_764_000_000],
    ['another century', '1999-12-31T00:00:00Z'],
  ])('refuses a time in %s instead of storing another one', async (_what, timestamp) => {
    const { send, records } = await start()

    const { body } = await send(lines({ ...call, timestamp }, { ...call, inputTokens: 3e9 }))

    expect(body).toMatchObject({ accepted: 0, rejected: [{ line: 1 }, { line: 2 }] })
    expect(await records()).toEqual([])
  })

  it.each([
    ['a time without its offset', { timestamp: '2026-11-26T10:00:00' }, /^timestamp: .*2026-03-01T12:00:00Z/],
    ['a day', { timestamp: '2026-11-26' }, /^timestamp: .*2026-03-01T12:00:00Z/],
    ['an amount that no row holds', { costEstimate: 9_000_001 }, /^costEstimate: .*9,000,000/],
    ['one in digits', { costEstimate: '9999999.5' }, /^costEstimate: .*9,000,000/],
  ])('refuses %s and says how it has to be', async (_what, fields, reason) => {
    const { send, records } = await start()

    const { status, body } = await send(lines({ ...call, ...fields }))

    expect(status).toBe(400)
    expect(body.rejected).toEqual([{ line: 1, reason: expect.stringMatching(reason) }])
    expect(await records()).toEqual([])
  })

  it('explains a thousand bad lines at most', async () => {
    const { send } = await start()

    const { status, body } = await send('{}\n'.repeat(5000))

    expect([status, body.rejected.length]).toEqual([400, 1000])
    expect(body).toMatchObject({ unexplained: 4000 })
  })

  it('leaves others their turn while it reads a megabyte, after a hundred lines each', async () => {
    const linesOfTurns = [0]
    const log = () => void linesOfTurns.push((linesOfTurns.pop() ?? 0) + 1)
    let immediate = setImmediate(function next() {
      linesOfTurns.push(0)
      immediate = setImmediate(next)
    })
    onTestFinished(() => clearImmediate(immediate))
    const usage = { log, stats: () => ({ state: 'running', dropped: 0 }) } as unknown as IngestParts['usage']
    const url = await serve(express().use(createIngest({ usage, tokenDigests: [digestOf(token)] })))
    const body = `${lines(call)}\n`.repeat(Math.floor(1024 ** 2 / (lines(call).length + 1)))

    const response = await fetch(`${url}/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body,
    })

    expect(response.status).toBe(202)
    expect(linesOfTurns.reduce((sum, count) => sum + count)).toBeGreaterThan(10_000)
    expect(Math.max(...linesOfTurns)).toBeLessThanOrEqual(100)
  })

  it.each([
    ['no token', undefined],
    ['a wrong one', 'Bearer wrong'],
  ])('answers 401 to %s and takes nothing', async (_what, authorization) => {
    const { send, records } = await start()

    const { status } = await send(lines(call), 'application/x-ndjson', { authorization: authorization ?? '' })

    expect(status).toBe(401)
    expect(await records()).toEqual([])
  })

  it.each([
    ['nothing', '', 400, { accepted: 0, error: 'the body holds no record' }],
    ['a list', '[1]', 400, { rejected: [{ line: 1, reason: 'it is no JSON object' }] }],
    ['two megabytes', 'x'.repeat(2_000_000), 413, { error: 'the body is longer than 1048576 bytes; send it in parts' }],
  ])('answers %s with what is wrong', async (_what, body, status, answer) => {
    const { send } = await start()

    expect(await send(body)).toMatchObject({ status, body: answer })
  })

  it('says so when a record finds no room, instead of taking it', async () => {
    const { send, usage } = await start({
      exporter: undefined,
      databaseUrl: 'postgres://127.0.0.1:1/none',
      maxMemoryMb: 1,
    })
    const many = lines(...Array.from({ length: 3000 }, () => ({ ...call, sessionId: 'x'.repeat(200) })))

    const { status, body } = await send(many)

    expect(status).toBe(207)
    expect(body.rejected[0]).toMatchObject({ reason: 'there is no room for it now; send it again later' })
    // What is sent again is not lost: it takes one line to find out that there is no room.
    expect(usage.stats()).toMatchObject({ dropped: 1, accepted: body.accepted + 1 })
  })

  it('says that nothing is recorded where the logger is off', async () => {
    const { send } = await start({ enabled: false })

    expect(await send(lines(call))).toMatchObject({
      status: 503,
      body: { error: expect.stringContaining('TOKEN_LOGGING_ENABLED') },
    })
  })
})

type Answer = { readonly accepted: number; readonly rejected: { line: number; reason: string }[] }

async function start(options: UsageLoggerOptions = {}) {
  const exporter = new MemoryExporter()
  const silent = { info: () => {}, warn: () => {}, error: () => {} }
  const usage = createUsageLogger({ enabled: true, exporter, logger: silent, ...options })
  onTestFinished(() => usage.close({ timeoutMs: 0 }))
  const url = await serve(express().use('/api', createIngest({ usage, tokenDigests: [digestOf(token)] })))
  return {
    usage,
    records: async () => {
      await usage.flush()
      return exporter.records
    },
    send: async (body: string, type = 'application/x-ndjson', more: Record<string, string> = {}) => {
      const headers = { authorization: `Bearer ${token}`, 'Content-Type': type, ...more }
      const response = await fetch(`${url}/api/usage`, { method: 'POST', headers, body })
      return { status: response.status, body: (await response.json()) as Answer }
    },
  }
}
