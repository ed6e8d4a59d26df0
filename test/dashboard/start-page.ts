import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import express, { type RequestHandler } from 'express'
import { build } from 'vite'
import { createUsageLogger } from '../../src/create-usage-logger.js'
import { createUsageReports } from '../../src/create-usage-reports.js'
import { readRows } from '../../src/postgres/read-rows.js'
import { createApp } from '../../src/server/app.js'
import { usageDashboard } from '../../src/server/usage-dashboard.js'
import { createViewerTokens, digestOf } from '../../src/server/viewer.js'
import type { TestDatabase } from '../support/test-database.js'

export const adminToken = 'the-admin-token-of-this-test'
const logger = { info: () => {}, warn: () => {}, error: () => {} }

/** The real app, with the page as it is built now. */
export type StartedPage = {
  readonly url: string
  userToken(user: string): string
  stop(): Promise<void>
}

/** Builds the page and serves it with the rows of `database`. */
export async function startPage(database: Pick<TestDatabase, 'connectionString' | 'pool'>): Promise<StartedPage> {
  await build({
    configFile: fileURLToPath(new URL('../../src/dashboard/vite.config.ts', import.meta.url)),
    logLevel: 'error',
  })
  const reports = createUsageReports({ databaseUrl: database.connectionString })
  const tokens = createViewerTokens(digestOf(adminToken))
  const app = createApp({
    usage: createUsageLogger({ enabled: false, logger }),
    tokenDigests: [],
    clients: {},
    read: (request) => readRows(database.pool, request),
    readHealth: (request) => readRows(database.pool, request),
    reports,
    tokens,
    logger,
  })
  const { url, stop } = await listen(app)
  return {
    url,
    userToken: (user) => tokens.sign({ viewer: { role: 'user', user }, expiresAt: Date.now() + 600_000 }),
    stop: async () => {
      await stop()
      await reports.close()
    },
  }
}

export type MountedPage = {
  /** The page's own address. */
  readonly url: string
  /** Breaks every connection, at once and as they come, until it comes back. */
  leave(): void
  comeBack(): void
  stop(): Promise<void>
}

/** The page as built before, in an app of somebody else's that does something of its own first. */
export async function mountPage(
  database: TestDatabase,
  { before = [] }: { readonly before?: readonly RequestHandler[] } = {},
): Promise<MountedPage> {
  const usage = createUsageLogger({ enabled: false, databaseUrl: database.connectionString, logger })
  const app = express()
  for (const handler of before) app.use(handler)
  app.use('/admin/usage', usageDashboard(usage))
  app.use((_request, response) => void response.status(404).json({ error: 'there is no such page' }))
  const started = await listen(app)
  return {
    ...started,
    url: `${started.url}/admin/usage`,
    stop: async () => {
      await started.stop()
      await usage.close()
    },
  }
}

async function listen(app: RequestListener) {
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const refuse = (socket: Socket) => void socket.destroy()
  return {
    url: `http://127.0.0.1:${port}`,
    // It keeps its port: once free, that could be somebody else's.
    leave: () => {
      server.on('connection', refuse)
      server.closeAllConnections()
    },
    comeBack: () => void server.off('connection', refuse),
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
