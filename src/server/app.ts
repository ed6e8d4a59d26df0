import { readFileSync } from 'node:fs'
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'
import type { UsageLogger } from '../create-usage-logger.js'
import type { UsageReports } from '../create-usage-reports.js'
import type { JsonRow, ReadRequest } from '../postgres/read-rows.js'
import type { DiagnosticLogger } from '../recording/diagnostics.js'
import { createChat } from './chat.js'
import { createDashboardRouter } from './dashboard-router.js'
import { explainReadError } from './explain-read-error.js'
import { createIngest } from './ingest.js'
import { createMetricsHandler } from './metrics.js'
import type { ModelClients } from './model-clients.js'
import { createSessionRouter, findRequestViewer } from './session.js'
import type { ViewerTokens } from './viewer.js'

export type AppParts = {
  readonly usage: UsageLogger
  /** SHA-256 of each token that may send records. */
  readonly tokenDigests: readonly Buffer[]
  readonly clients: ModelClients
  /** Reads from the database that holds the usage tables. */
  readonly read: (request: ReadRequest) => Promise<JsonRow[]>
  /** The same, on a connection that nothing else uses. */
  readonly readHealth: (request: ReadRequest) => Promise<JsonRow[]>
  /** For the reports, which may take long: connections that nothing else waits for. */
  readonly reports: UsageReports
  readonly tokens: ViewerTokens
  readonly logger: DiagnosticLogger
}

const reportNames = ['daily-usage-per-user', 'most-used-models', 'user-activity-summary'] as const
const reportTimeoutMs = 10_000
const healthTimeoutMs = 2000

/** The web process's Express app. Listens to nothing yet. */
export function createApp(parts: AppParts): Express {
  const { usage, tokenDigests, clients, read, readHealth, reports, tokens, logger } = parts
  const findViewer = (request: Request) => findRequestViewer(tokens, request)
  const app = express()
  app.disable('x-powered-by')
  app.get('/health', noStore, healthCheck(readHealth))
  app.get('/metrics', noStore, requireAdmin(tokens), createMetricsHandler(usage))
  app.use(
    '/api',
    noStore,
    createSessionRouter(tokens),
    createIngest({ usage, tokenDigests }),
    createChat({ usage, clients, findViewer }),
  )
  app.use('/api/reports', requireAdmin(tokens))
  for (const name of reportNames) app.get(`/api/reports/${name}`, report(name, { read, logger }))
  app.use(createDashboardRouter({ reports, findViewer, logger }))
  app.use(noStore, (_request, response) => {
    response.status(404).json({
      error: `there are the page at /, /health, /metrics, and ${reportNames.map((name) => `/api/reports/${name}`).join(', ')}`,
    })
  })
  app.use(answerError(logger))
  return app
}

const noStore: RequestHandler = (_request, response, next) => {
  response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
  next()
}

function requireAdmin(tokens: ViewerTokens): RequestHandler {
  return (request, response, next) => {
    if (findRequestViewer(tokens, request)?.role === 'admin') return next()
    response.status(401).set('WWW-Authenticate', 'Bearer realm="tokenledger"')
    response.json({ error: 'send the admin token as Authorization: Bearer <TOKENLEDGER_ADMIN_TOKEN>' })
  }
}

function healthCheck(read: AppParts['read']) {
  // However many ask at once, the database is asked by one.
  let asking: Promise<boolean> | undefined
  const isDatabaseUp = () => {
    asking ??= read({ sql: 'select 1', timeoutMs: healthTimeoutMs })
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        asking = undefined
      })
    return asking
  }
  return async (_request: Request, response: Response) => {
    const isUp = await isDatabaseUp()
    response.status(isUp ? 200 : 503).json({ status: isUp ? 'ok' : 'degraded', database: isUp ? 'up' : 'down' })
  }
}

function report(name: (typeof reportNames)[number], { read, logger }: Pick<AppParts, 'read' | 'logger'>) {
  const sql = readFileSync(new URL(`../../sql/queries/${name}.sql`, import.meta.url), 'utf8')
  return async (_request: Request, response: Response) => {
    try {
      response.json({ report: name, rows: await read({ sql, timeoutMs: reportTimeoutMs }) })
    } catch (error) {
      logger.error(
        { report: name, code: (error as { code?: string }).code },
        'a report could not be read from the database',
      )
      response.status(503).json({ error: explainReadError(error) })
    }
  }
}

function answerError(logger: DiagnosticLogger): ErrorRequestHandler {
  return (error: { status?: number; name?: string }, _request, response, next) => {
    if (response.headersSent) return next(error)
    const isClientError = error.status !== undefined && error.status >= 400 && error.status < 500
    if (!isClientError) logger.error({ error: error.name }, 'a request failed')
    response.status(isClientError ? (error.status as number) : 500).json({
      error: isClientError ? 'the request cannot be understood' : 'something went wrong here',
    })
  }
}
