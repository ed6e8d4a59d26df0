import { readFileSync } from 'node:fs'
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express'
import type { JsonRow, ReadRequest } from '../postgres/read-rows.js'
import type { DiagnosticLogger } from '../recording/diagnostics.js'
import { requireAdminToken, requireLoopbackName } from './admin-auth.js'

export type AppParts = {
  /** Reads from the database that holds the usage tables. */
  readonly read: (request: ReadRequest) => Promise<JsonRow[]>
  /** Without one the app answers only to requests addressed to localhost. */
  readonly adminToken?: string
  readonly logger: DiagnosticLogger
}

const REPORTS = ['daily-usage-per-user', 'most-used-models', 'user-activity-summary'] as const
const REPORT_TIMEOUT_MS = 10_000
const HEALTH_TIMEOUT_MS = 2000

/** The web process's Express app: `GET /health` for anyone, and the reports for who may see them. Listens to nothing yet. */
export function createApp({ read, adminToken, logger }: AppParts): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use((_request, response, next) => {
    response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
    next()
  })
  if (adminToken === undefined) app.use(requireLoopbackName)
  app.get('/health', healthCheck(read))
  if (adminToken !== undefined) app.use('/api', requireAdminToken(adminToken))
  for (const name of REPORTS) app.get(`/api/reports/${name}`, report(name, { read, logger }))
  app.use((_request, response) => {
    response
      .status(404)
      .json({ error: `there are /health and ${REPORTS.map((name) => `/api/reports/${name}`).join(', ')}` })
  })
  app.use(answerError(logger))
  return app
}

function healthCheck(read: AppParts['read']) {
  // However many ask at once, the database is asked by one.
  let asking: Promise<boolean> | undefined
  const isDatabaseUp = () => {
    asking ??= read({ sql: 'select 1', timeoutMs: HEALTH_TIMEOUT_MS })
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

function report(name: (typeof REPORTS)[number], { read, logger }: Pick<AppParts, 'read' | 'logger'>) {
  const sql = readFileSync(new URL(`../../sql/queries/${name}.sql`, import.meta.url), 'utf8')
  return async (_request: Request, response: Response) => {
    try {
      response.json({ report: name, rows: await read({ sql, timeoutMs: REPORT_TIMEOUT_MS }) })
    } catch (error) {
      // Of a database's error only the code is passed on: its text may hold values of rows or the server's address.
      const code = (error as { code?: string }).code
      logger.error({ report: name, code }, 'a report could not be read from the database')
      response.status(503).json({ error: explain(code) })
    }
  }
}

function explain(code: string | undefined): string {
  if (code === '42P01' || code === '42703')
    return 'the usage tables are missing or out of date: run tokenledger migrate'
  if (code === '57014') return `the report took longer than ${REPORT_TIMEOUT_MS / 1000} seconds and was stopped`
  return 'the database does not answer at the moment: try again later'
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
