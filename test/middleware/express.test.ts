import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import express, { type Application } from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createUsageLogger, MemoryExporter, type UsageLoggerOptions } from '../../src/index.js'

declare global {
  namespace Express {
    interface Request {
      user?: { email: string }
    }
  }
}

const lines: string[] = []
const keepLine = (_fields: object, message: string) => lines.push(message)
const logger = { info: keepLine, warn: keepLine, error: keepLine }

function setUp(options: UsageLoggerOptions = {}) {
  const exporter = new MemoryExporter()
  const usage = createUsageLogger({ enabled: true, exporter, logger, ...options })
  onTestFinished(() => usage.close())
  return { exporter, usage, log: () => usage.log({ modelName: 'm', inputTokens: 10, outputTokens: 5 }) }
}

async function serve(app: Application): Promise<string> {
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('the Express middleware', () => {
  it('asks who is calling when the first row is made, so authentication may be mounted after it', async () => {
    const { exporter, usage, log } = setUp()
    const app = express()
    app.use(
      usage.express({ user: (req) => req.user?.email, session: 's1', operation: (req) => req.path, project: 'shop' }),
    )
    app.use((req, _res, next) => {
      req.user = { email: 'ann@example.com' }
      next()
    })
    app.get('/ask', (_req, res) => {
      log()
      res.json(usage.current())
    })
    const url = await serve(app)

    const answer = await (await fetch(`${url}/ask`)).json()
    await usage.flush()

    expect(answer).toEqual({ calls: 1, inputTokens: 10, outputTokens: 5, totalTokens: 15, costUsd: null })
    expect(exporter.records).toMatchObject([
      { userEmail: 'ann@example.com', sessionId: 's1', operation: '/ask', project: 'shop' },
    ])
  })

  it('never mixes up 60 users who call at once', async () => {
    const { exporter, usage } = setUp()
    const app = express()
    app.use(usage.express({ user: (req) => req.get('x-user') }))
    app.use(express.json())
    app.post('/ask', async (req, res) => {
      for (let call = 0; call < 3; call++) {
        await sleep(Math.random() * 10)
        usage.log({ modelName: req.body.user, inputTokens: 1, outputTokens: 1 })
      }
      res.json(usage.current())
    })
    const url = await serve(app)
    const users = Array.from({ length: 60 }, (_, index) => `user${index}@example.com`)

    const answers = await Promise.all(
      users.map(async (user) => {
        const headers = { 'x-user': user, 'content-type': 'application/json' }
        const answer = await fetch(`${url}/ask`, { method: 'POST', headers, body: JSON.stringify({ user }) })
        return (await answer.json()) as { calls: number }
      }),
    )
    await usage.flush()

    expect(answers.map(({ calls }) => calls)).toEqual(users.map(() => 3))
    expect(exporter.records).toHaveLength(180)
    expect(exporter.records.filter(({ userEmail, modelName }) => userEmail !== modelName)).toEqual([])
  })

  it('still knows the user in what happens when the client disconnects', async () => {
    const { exporter, usage, log } = setUp()
    const app = express()
    app.use(usage.express({ user: (req) => req.get('x-user') }))
    const closed = new Promise<void>((resolve) => {
      app.get('/stream', (_req, res) => {
        res.on('close', () => {
          log()
          resolve()
        })
        res.write('first')
      })
    })
    const url = await serve(app)

    const request = httpRequest(`${url}/stream`, { headers: { 'x-user': 'ann@example.com' } }).end()
    request.on('error', () => {})
    const [response] = await once(request, 'response')
    await once(response, 'data')
    request.destroy()
    await closed
    await usage.flush()

    expect(exporter.records).toMatchObject([{ userEmail: 'ann@example.com' }])
  })

  it('still knows the user in the events of the request body', async () => {
    const { exporter, usage, log } = setUp()
    const app = express()
    app.use(usage.express({ user: (req) => req.get('x-user') }))
    app.post('/upload', (req, res) => {
      res.flushHeaders()
      req.on('data', () => log()).on('end', () => res.end())
    })
    const url = await serve(app)

    const request = httpRequest(`${url}/upload`, { method: 'POST', headers: { 'x-user': 'ann@example.com' } })
    request.flushHeaders()
    const [response] = await once(request, 'response')
    request.end('body that comes later')
    await once(response.resume(), 'end')
    await usage.flush()

    expect(exporter.records).toMatchObject([{ userEmail: 'ann@example.com' }])
  })

  it('takes the inner of two that are mounted, in the handler and in every event', async () => {
    const { exporter, usage, log } = setUp()
    const app = express()
    app.use(usage.express({ user: 'outer', project: 'shop' }))
    app.use(usage.express({ user: 'inner' }))
    const closed = new Promise<void>((resolve) => {
      app.get('/ask', (_req, res) => {
        log()
        res.on('close', () => {
          log()
          resolve()
        })
        res.json(usage.current())
      })
    })
    const url = await serve(app)

    const answer = await (await fetch(`${url}/ask`)).json()
    await closed
    await usage.flush()

    expect(answer).toMatchObject({ calls: 1 })
    expect(exporter.records).toMatchObject([
      { userEmail: 'inner', project: 'shop' },
      { userEmail: 'inner', project: 'shop' },
    ])
  })

  it('may be mounted at a path or on one route', async () => {
    const { exporter, usage, log } = setUp()
    const app = express()
    app.use('/api', usage.express({ user: (req) => req.get('x-user'), operation: (req) => req.path }))
    app.get('/api/ask/:id', usage.express({ session: (req) => req.params.id }), (_req, res) => {
      log()
      res.end()
    })
    const url = await serve(app)

    await fetch(`${url}/api/ask/7`, { headers: { 'x-user': 'ann@example.com' } })
    await usage.flush()

    expect(exporter.records).toMatchObject([{ userEmail: 'ann@example.com', sessionId: '7' }])
  })

  it('keeps two loggers on one app apart', async () => {
    const first = setUp()
    const second = setUp()
    const app = express()
    app.use(first.usage.express({ user: 'first' }))
    app.use(second.usage.express({ user: 'second' }))
    const closed = new Promise<void>((resolve) => {
      app.get('/ask', (_req, res) => {
        res.on('close', () => {
          first.log()
          second.log()
          resolve()
        })
        res.end()
      })
    })
    const url = await serve(app)

    await fetch(`${url}/ask`)
    await closed
    await Promise.all([first.usage.flush(), second.usage.flush()])

    expect(first.exporter.records).toMatchObject([{ userEmail: 'first' }])
    expect(second.exporter.records).toMatchObject([{ userEmail: 'second' }])
  })

  it('takes what the entry says before what the request says', async () => {
    const { exporter, usage } = setUp()

    usage.run({ user: 'ann@example.com', operation: 'job' }, () => {
      usage.log({ modelName: 'm', inputTokens: 1, outputTokens: 1, userEmail: 'bob@example.com' })
    })
    await usage.flush()

    expect(exporter.records).toMatchObject([{ userEmail: 'bob@example.com', operation: 'job' }])
  })

  it('records nothing of a request that is skipped', async () => {
    const { exporter, usage, log } = setUp()
    const app = express()
    app.use(usage.express({ skip: (req) => req.path === '/health' }))
    app.get('/{*path}', (_req, res) => {
      log()
      res.end()
    })
    const url = await serve(app)

    await fetch(`${url}/health`)
    await fetch(`${url}/ask`)
    await usage.flush()

    expect(exporter.records).toHaveLength(1)
    expect(usage.stats().accepted).toBe(1)
  })

  it('answers the request and records it as anonymous when an option throws or gives a promise', async () => {
    lines.length = 0
    const { exporter, usage, log } = setUp()
    const app = express()
    const user = () => {
      throw new Error('secret')
    }
    app.use(usage.express({ user, session: (() => Promise.resolve('s')) as never }))
    app.get('/ask', (_req, res) => {
      log()
      res.end('fine')
    })
    const url = await serve(app)

    const answer = await (await fetch(`${url}/ask`)).text()
    await usage.flush()

    expect(answer).toBe('fine')
    expect(exporter.records).toMatchObject([{ userEmail: 'anonymous', sessionId: null }])
    expect(lines).toHaveLength(2)
    expect(lines.join()).not.toContain('secret')
  })

  it('is no work at all when logging is off', async () => {
    const { exporter, usage, log } = setUp({ enabled: false })
    const app = express()
    app.use(usage.express({ user: 'ann@example.com' }))
    app.get('/ask', (_req, res) => {
      log()
      res.json(usage.current())
    })
    const url = await serve(app)

    const answer = await (await fetch(`${url}/ask`)).json()

    expect(answer).toMatchObject({ calls: 0 })
    expect(usage.stats()).toMatchObject({ state: 'disabled', accepted: 0 })
    expect(exporter.records).toEqual([])
  })
})
