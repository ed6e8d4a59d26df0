import express, { type ErrorRequestHandler } from 'express'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ConfigurationError, createUsageLogger, MemoryExporter } from '../../src/index.js'
import { usageDashboard } from '../../src/server/usage-dashboard.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { serve } from './serve.js'

const logger = { info: () => {}, warn: () => {}, error: () => {} }
let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

describe('the dashboard in an app of yours', () => {
  it('shows an admin all, and a user what the app says is theirs', async () => {
    const usage = createUsageLogger({ enabled: true, databaseUrl: database.connectionString, logger })
    onTestFinished(() => usage.close())
    usage.log({ modelName: 'm', inputTokens: 1, outputTokens: 1, userEmail: 'ann@example.com' })
    usage.log({ modelName: 'm', inputTokens: 1, outputTokens: 1, userEmail: 'bob@example.com' })
    await usage.flush()
    const url = await serve(
      express()
        .use('/admin/usage', usageDashboard(usage))
        .use(
          '/my/usage',
          usageDashboard(usage, {
            viewer: ({ headers }) =>
              headers['x-user'] ? { role: 'user', user: String(headers['x-user']) } : undefined,
          }),
        ),
    )

    const requests = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${url}${path}/api/trpc/totals?input=${encodeURIComponent('{}')}`, { headers })
      const answer = (await response.json()) as { result?: { data: { totals: { requests: number } } } }
      return answer.result?.data.totals.requests ?? response.status
    }

    expect(await requests('/admin/usage')).toBe(2)
    expect(await requests('/my/usage', { 'x-user': 'ann@example.com' })).toBe(1)
    expect(await requests('/my/usage')).toBe(401)
  })

  it.each([false, null, undefined, '', 0, { role: 'user' }, { role: 'user', user: '' }, { role: 'root' }])(
    'shows nothing to %o, which says plainly nobody',
    async (nobody) => {
      const usage = createUsageLogger({ enabled: false, databaseUrl: database.connectionString, logger })
      onTestFinished(() => usage.close())
      const url = await serve(express().use(usageDashboard(usage, { viewer: () => nobody as never })))

      const report = await fetch(`${url}/api/trpc/totals?input=${encodeURIComponent('{}')}`)
      const exported = await fetch(`${url}/api/export.json`)

      expect([report.status, exported.status]).toEqual([401, 401])
    },
  )

  it('hands what goes wrong in your viewer to your app, and blames no database for it', async () => {
    const usage = createUsageLogger({ enabled: false, databaseUrl: database.connectionString, logger })
    onTestFinished(() => usage.close())
    const viewer = async () => Promise.reject(new Error('no session store'))
    const answerError: ErrorRequestHandler = ({ message }, _request, response, _next) =>
      void response.status(500).json({ message })
    const url = await serve(express().use(usageDashboard(usage, { viewer })).use(answerError))

    for (const path of ['/api/trpc/totals', '/api/export.csv'])
      expect(await (await fetch(`${url}${path}`)).json()).toEqual({ message: 'no session store' })
  })

  it('has a page whose relative addresses lie below its own', async () => {
    const usage = createUsageLogger({ enabled: true, databaseUrl: database.connectionString, logger })
    onTestFinished(() => usage.close())
    const url = await serve(express().use('/admin/usage', usageDashboard(usage)))

    const bare = await fetch(`${url}/admin/usage?since=7d`, { redirect: 'manual' })

    expect([bare.status, bare.headers.get('location')]).toEqual([308, '/admin/usage/?since=7d'])
  })

  it('reads also what was recorded where nothing is recorded now', async () => {
    const usage = createUsageLogger({ enabled: false, databaseUrl: database.connectionString, logger })

    const { totals } = await usage.reports().getUsageTotals()
    await usage.close()

    expect(totals.requests).toBeGreaterThanOrEqual(0)
    expect(usage.reports()).toBe(usage.reports())
  })

  it('is refused with a reason where there is no database to read from', () => {
    const usage = createUsageLogger({ enabled: true, exporter: new MemoryExporter(), logger })

    expect(() => usageDashboard(usage)).toThrow(ConfigurationError)
  })
})
