import { createTRPCClient, httpBatchLink, httpLink } from '@trpc/client'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createUsageReports, type UsageReports } from '../../src/create-usage-reports.js'
import { createDashboardRouter } from '../../src/server/dashboard-router.js'
import type { UsageRouter } from '../../src/server/router.js'
import type { Viewer } from '../../src/server/viewer.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { serve } from './serve.js'

const formulas = [
  '=1+1',
  '+1',
  '-1+1',
  '@SUM(1)',
  '\t=1',
  '\r=1',
  '＝1+1',
  ' =1+1',
  '\u200b=1+1',
  '"=1"',
  'a;=1',
  'a,"b"\nc',
]
const lines: unknown[] = []
const logger = { info: () => {}, warn: () => {}, error: (...line: unknown[]) => void lines.push(line) }

let database: TestDatabase
let reports: UsageReports

beforeAll(async () => {
  database = await createTestDatabase()
  reports = createUsageReports({ databaseUrl: database.connectionString })
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type, cost_estimate)
     select now() - call * interval '1 minute', 'ann@example.com', 'gpt-4o', call, 1, 'chat', 0.000000000001 * call
     from generate_series(1, 2500) as call`,
  )
  for (const [index, text] of formulas.entries()) {
    await database.query(
      `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type, session_id, usage_source)
       values (now() - interval '30 days', 'bob@example.com', $1, 0, 0, 'chat', $2, 'unknown')`,
      [text, `s${index}`],
    )
  }
})
afterAll(async () => {
  await reports.close()
  await database.drop()
})

describe('the export', () => {
  it('has every call of the filters once, over several pages, and is named after them', async () => {
    const url = await start({ role: 'admin' })

    const response = await fetch(`${url}/api/export.json?since=7d&model=gpt-4o`)
    const calls = (await response.json()) as { inputTokens: number; costUsd: string }[]

    expect(response.headers.get('content-disposition')).toBe('attachment; filename="usage-7d-model-gpt-4o.json"')
    expect(calls.map(({ inputTokens }) => inputTokens)).toEqual(Array.from({ length: 2500 }, (_, call) => call + 1))
    expect(calls[0]?.costUsd).toBe('0.000000000001')
  })

  it('has no cell that a spreadsheet takes for a formula, and an empty one for what nobody knows', async () => {
    const url = await start({ role: 'admin' })

    const text = await (await fetch(`${url}/api/export.csv?user=bob@example.com`)).text()
    const cells = text.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)|\n(?=(?:[^"]*"[^"]*")*[^"]*$)/)
    const values = cells.map((cell) => cell.replace(/^"|"$/g, '').replaceAll('""', '"'))

    expect(values.filter((value) => /^[\s\p{Cf}]*[=+\-@＝＋－＠]|^[\t\r]/u.test(value))).toEqual([])
    expect(values).toContain("'=1+1")
    expect(values).toContain('a,"b"\nc')
    expect(text.split('\n')[0]).toMatch(/^id,eventId,timestamp,userEmail/)
    expect(text).toContain(',chat,,,,,,,,,,,,unknown,,,\n')
  })

  it("is of a user's own calls, whomever the address names", async () => {
    const url = await start({ role: 'user', user: 'bob@example.com' })

    const calls = await (await fetch(`${url}/api/export.json?user=ann@example.com`)).json()

    expect(calls).toHaveLength(formulas.length)
  })

  it.each([
    ['nobody', undefined, '', 401],
    ['a wrong time', { role: 'admin' } as const, '?since=yesterday', 400],
    ['an unknown filter', { role: 'admin' } as const, '?modell=x', 400],
    ['a range that ends before it begins', { role: 'admin' } as const, '?since=2026-02-02&until=2026-02-01', 400],
  ])('answers %s with what is wrong', async (_what, viewer, search, status) => {
    const url = await start(viewer)

    const response = await fetch(`${url}/api/export.csv${search}`)

    expect([response.status, Object.keys((await response.json()) as object)]).toEqual([status, ['error']])
  })

  it('reads one page for a request of the head alone', async () => {
    const url = await start({ role: 'admin' })
    const read = vi.spyOn(reports, 'getUsageHistory')

    const { status, headers } = await fetch(`${url}/api/export.csv?since=7d`, { method: 'HEAD' })

    expect([status, headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8'])
    expect(read).toHaveBeenCalledTimes(1)
    read.mockRestore()
  })

  it('ends with an empty list where there is nothing', async () => {
    const url = await start({ role: 'user', user: 'nobody@example.com' })

    expect(await (await fetch(`${url}/api/export.json`)).json()).toEqual([])
  })
})

describe('the reports over HTTP', () => {
  it('answer a tRPC client with what its viewer may see', async () => {
    const client = createTRPCClient<UsageRouter>({
      links: [httpBatchLink({ url: `${await start({ role: 'user', user: 'ann@example.com' })}/api/trpc` })],
    })

    const [viewer, { totals }] = await Promise.all([
      client.viewer.query(),
      client.totals.query({ user: 'bob@example.com' }),
    ])

    expect(viewer).toEqual({ role: 'user', user: 'ann@example.com' })
    expect(totals).toMatchObject({ requests: 2500, costUsd: '0.00000312625', unpriced: 0 })
  })

  it('refuse more than ten calls in one request', async () => {
    const url = await start({ role: 'admin' })

    const answer = await fetch(`${url}/api/trpc/${Array(11).fill('viewer').join(',')}?batch=1`)

    expect(answer.status).toBe(400)
  })

  it('say in one line what is wrong with a query, as the export does', async () => {
    const url = await start({ role: 'admin' })
    const client = createTRPCClient<UsageRouter>({ links: [httpLink({ url: `${url}/api/trpc` })] })
    const messageOf = async (query: object) => (await client.totals.query(query).catch((reason) => reason)).message

    const [wrong, unknown] = [await messageOf({ since: 'abc' }), await messageOf({ zzz: 1 })]

    expect(wrong).toBe(
      'since: it has to be a day (2026-03-01), an instant (2026-03-01T12:00:00Z) or a duration (12h, 7d, 2w)',
    )
    expect(unknown).toBe('Unrecognized key: "zzz"')
    expect(await (await fetch(`${url}/api/export.csv?since=abc`)).json()).toEqual({ error: wrong })
    expect(await (await fetch(`${url}/api/export.csv?zzz=1`)).json()).toEqual({ error: unknown })
  })

  it("tell nothing of a database's error but what to do, and log its code", async () => {
    const broken = createUsageReports({ databaseUrl: 'postgres://ann:topsecret@127.0.0.1:1/usage' })
    const client = createTRPCClient<UsageRouter>({
      links: [httpLink({ url: `${await start({ role: 'admin' }, broken)}/api/trpc` })],
    })

    const error = await client.totals.query({}).catch((reason) => reason)
    await broken.close()

    expect(error.message).toBe('the database does not answer at the moment: try again later')
    expect(JSON.stringify([error.data, lines])).not.toMatch(/topsecret|stack/)
    expect(lines.at(-1)).toEqual([{ report: 'totals', code: 'ECONNREFUSED' }, expect.any(String)])
  })

  it('are answered with 429 while a hundred wait already, and so is the export', async () => {
    const busy = createUsageReports({ databaseUrl: database.connectionString })
    const url = await start({ role: 'admin' }, busy)
    const client = await database.pool.connect()
    await client.query('begin; lock table token_usage_settings in access exclusive mode')
    const waiting = Array.from({ length: 102 }, () => busy.getUsageTotals())

    const answers = [await fetch(`${url}/api/trpc/totals?input={}`), await fetch(`${url}/api/export.csv`)]
    const texts = await Promise.all(answers.map((answer) => answer.text()))
    await client.query('rollback')
    client.release()
    const settled = await Promise.all(waiting)
    const afterwards = await fetch(`${url}/api/export.csv`)
    await afterwards.text()
    await busy.close()

    expect(answers.map(({ status }) => status)).toEqual([429, 429])
    for (const text of texts) expect(text).toContain('100 reports are waiting already. Ask again later.')
    expect(settled).toHaveLength(102)
    expect(afterwards.status).toBe(200)
  })

  it('are kept by no cache', async () => {
    const answer = await fetch(`${await start({ role: 'admin' })}/api/trpc/viewer`)

    expect(answer.headers.get('cache-control')).toBe('no-store')
  })
})

async function start(viewer: Viewer | undefined, source = reports): Promise<string> {
  return serve(express().use(createDashboardRouter({ reports: source, findViewer: () => viewer, logger })))
}
