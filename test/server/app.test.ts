import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { createUsageLogger, createUsageReports, MemoryExporter } from '../../src/index.js'
import type { ReadRequest } from '../../src/postgres/read-rows.js'
import { type AppParts, createApp } from '../../src/server/app.js'
import { createViewerTokens, digestOf } from '../../src/server/viewer.js'

const TOKEN = 'a-token-that-nobody-guesses'
const REPORTS = ['daily-usage-per-user', 'most-used-models', 'user-activity-summary']
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
})

describe('the reports', () => {
  it.each(REPORTS)('answers %s with the rows of its query', async (name) => {
    const asked: ReadRequest[] = []
    const app = await start({
      read: async (request) => {
        asked.push(request)
        return [{ user_email: 'ann@example.com' }]
      },
    })

    const response = await app.get(`/api/reports/${name}`, `Bearer ${TOKEN}`)

    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ report: name, rows: [{ user_email: 'ann@example.com' }] })
    expect(asked[0]?.sql).toMatch(/from token_usage_logs/)
    expect(asked[0]?.timeoutMs).toBeGreaterThan(0)
  })

  it.each([
    ['nothing', undefined],
    ['another token', 'Bearer another-token'],
    ['a token that only begins right', `Bearer ${TOKEN.slice(0, -1)}`],
    ['an empty token', 'Bearer '],
    ['another scheme', `Basic ${TOKEN}`],
  ])('refuses %s with a 401, before the database is asked', async (_what, authorization) => {
    const asked: ReadRequest[] = []
    const app = await start({
      read: async (request) => {
        asked.push(request)
        return []
      },
    })

    const response = await app.get('/api/reports/most-used-models', authorization)

    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="tokenledger"')
    expect(asked).toEqual([])
  })

  it('takes no token from the address', async () => {
    const app = await start()

    const response = await app.get(`/api/reports/most-used-models?token=${TOKEN}&access_token=${TOKEN}`)

    expect(response.status).toBe(401)
  })

  it('tells nothing of a database error but what to do', async () => {
    const error = Object.assign(new Error('connect to postgres://ann:topsecret@db.example failed'), {
      code: 'ECONNREFUSED',
    })
    const app = await start({ read: () => Promise.reject(error) })

    const response = await app.get('/api/reports/most-used-models', `Bearer ${TOKEN}`)
    const text = await response.text()

    expect(response.status).toBe(503)
    expect(JSON.parse(text)).toEqual({ error: 'the database does not answer at the moment: try again later' })
    expect(JSON.stringify(app.lines)).not.toContain('topsecret')
    expect(app.lines).toEqual([[{ report: 'most-used-models', code: 'ECONNREFUSED' }, expect.any(String)]])
  })

  it.each([
    ['42P01', 'run tokenledger migrate'],
    ['57014', 'took too long'],
  ])('explains the database error %s', async (code, explanation) => {
    const app = await start({ read: () => Promise.reject(Object.assign(new Error('no'), { code })) })

    const response = await app.get('/api/reports/most-used-models', `Bearer ${TOKEN}`)

    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ error: expect.stringContaining(explanation) })
  })
})

describe('the health check', () => {
  it('needs no token', async () => {
    const app = await start()

    const response = await app.get('/health')

    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ status: 'ok', database: 'up' })
  })

  it('answers 503 while the database is down', async () => {
    const app = await start({ readHealth: () => Promise.reject(new Error('down')) })

    const response = await app.get('/health')

    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ status: 'degraded', database: 'down' })
  })

  it('follows the database when it comes back', async () => {
    let isUp = false
    const app = await start({ readHealth: async () => (isUp ? [] : Promise.reject(new Error('down'))) })
    const before = await app.get('/health')

    isUp = true
    const after = await app.get('/health')

    expect([before.status, after.status]).toEqual([503, 200])
  })

  it('asks the database once, however many ask at the same time', async () => {
    let asked = 0
    let answer = () => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    const app = await start({
      readHealth: async () => {
        asked += 1
        await answered
        return []
      },
    })

    const arrived = app.arrivals(5)
    const responses = Promise.all(Array.from({ length: 5 }, () => app.get('/health')))
    await arrived
    answer()

    expect((await responses).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(asked).toBe(1)
  })
})

describe('the metrics', () => {
  it('are for an admin, in the text format of Prometheus', async () => {
    const usage = createUsageLogger({ enabled: true, exporter: new MemoryExporter() })
    onTestFinished(() => usage.close())
    usage.log({ modelName: 'm', inputTokens: 1, outputTokens: 1, userEmail: 'ann@example.com' })
    const app = await start({ usage })

    const text = await (await app.get('/metrics', `Bearer ${TOKEN}`)).text()

    expect(text).toMatch(/^tokenledger_rows_accepted_total 1$/m)
    expect(text).not.toContain('ann')
    expect((await app.get('/metrics')).status).toBe(401)
  })
})

describe('every answer', () => {
  it('is kept by nobody and says nothing of what made it', async () => {
    const app = await start()

    for (const path of ['/health', '/api/reports/most-used-models', '/nowhere', '/%E0%A4%A']) {
      const { headers } = await app.get(path)

      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-powered-by')).toBeNull()
      expect(headers.get('content-type')).toMatch(/^application\/json/)
    }
  })

  it('is a 404 that names what is there for an unknown address', async () => {
    const app = await start()

    const response = await app.get('/nowhere')

    expect(response.status).toBe(404)
    expect(await response.json()).toEqual({ error: expect.stringContaining('/api/reports/most-used-models') })
  })
})

const digest = digestOf(TOKEN)
const defaultParts: Omit<AppParts, 'logger'> = {
  read: async () => [],
  readHealth: async () => [],
  reports: createUsageReports({ databaseUrl: 'postgres://127.0.0.1:1/none' }),
  usage: createUsageLogger({ enabled: false }),
  tokens: createViewerTokens(digest),
  tokenDigests: [digest],
  clients: {},
}

async function start(parts: Partial<AppParts> = {}) {
  const lines: unknown[][] = []
  const note = (...line: unknown[]) => void lines.push(line)
  const logger = { info: note, warn: note, error: note }
  const server = createServer(createApp({ ...defaultParts, logger, ...parts }))
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    lines,
    get: (path: string, authorization?: string) =>
      fetch(`http://127.0.0.1:${port}${path}`, { headers: authorization ? { authorization } : {} }),
    arrivals: (count: number) =>
      new Promise<void>((resolve) => server.on('request', () => --count === 0 && setImmediate(resolve))),
  }
}
