import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { createUsageLogger } from '../../src/create-usage-logger.js'
import { createUsageReports } from '../../src/create-usage-reports.js'
import { readRows } from '../../src/postgres/read-rows.js'
import { createApp } from '../../src/server/app.js'
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
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    userToken: (user) => tokens.sign({ viewer: { role: 'user', user }, expiresAt: Date.now() + 600_000 }),
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
      await reports.close()
    },
  }
}
