import { fileURLToPath } from 'node:url'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import express, { type RequestHandler, type Response, Router } from 'express'
import { createExport, type ExportParts } from './export.js'
import { usageRouter } from './router.js'
import type { Viewer } from './viewer.js'

// Built by Vite; the same place seen from src/ and from dist/.
const pageDirectory = fileURLToPath(new URL('../../dist/dashboard', import.meta.url))
const mostCallsOfOneRequest = 10

/** The page and the reports it reads, to be mounted anywhere: all its addresses are relative. */
export function createDashboardRouter({ reports, findViewer, logger }: ExportParts): Router {
  const router = Router()
  router.use(
    '/api/trpc',
    forbidCaching,
    // Beforehand: an error here is one of the app around, and not of a report.
    async (request, response, next) => {
      response.locals.usageViewer = await findViewer(request)
      next()
    },
    createExpressMiddleware({
      router: usageRouter,
      createContext: ({ res }) => ({ viewer: res.locals.usageViewer as Viewer | undefined, reports }),
      maxBatchSize: mostCallsOfOneRequest,
      onError: ({ error, path }) => {
        const { code } = Object(error.cause) as { code?: unknown }
        if (error.code === 'INTERNAL_SERVER_ERROR')
          logger.error({ report: path, code }, 'a report could not be read from the database')
      },
    }),
  )
  for (const format of ['csv', 'json'] as const) {
    router.get(`/api/export.${format}`, forbidCaching, createExport(format, { reports, findViewer, logger }))
  }
  router.get('/', addSlash)
  router.use(express.static(pageDirectory, { setHeaders: secure }))
  return router
}

const forbidCaching: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'no-store')
  next()
}

// Relative addresses of a page at /usage would be looked for beside it instead of below it.
const addSlash: RequestHandler = (request, response, next) => {
  const [path = '', query] = request.originalUrl.split('?')
  if (path.endsWith('/')) return next()
  response.redirect(308, `${request.baseUrl}/${query === undefined ? '' : `?${query}`}`)
}

const ownPolicy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

/** Headers of the page's own files, and of nothing that an app answers after it. */
function secure(response: Response): void {
  // Beside the policy that the app around has set: a browser obeys both, so the stricter word counts.
  response.append('Content-Security-Policy', ownPolicy)
  response.set({ 'Referrer-Policy': 'no-referrer', 'X-Content-Type-Options': 'nosniff' })
}
