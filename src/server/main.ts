import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { loadDotEnv, readConfig, readServerConfig, type ServerConfig } from '../config.js'
import { ConfigurationError } from '../errors.js'
import { findPruneBoundary, prune } from '../history/prune.js'
import { isLoopbackHost } from '../postgres/database-url.js'
import { type EmbeddedServer, startEmbeddedServer } from '../postgres/embedded-server.js'
import { migrate } from '../postgres/migrator.js'
import { createPool } from '../postgres/pool.js'
import { type JsonRow, type ReadRequest, readRows } from '../postgres/read-rows.js'
import { createApp } from './app.js'
import { createShutdown, exitOnSignals } from './graceful-shutdown.js'
import { startRetention } from './retention.js'

const logger = pino({ base: null })

try {
  await serve()
} catch (error) {
  logger.fatal(error instanceof Error ? error.message : String(error))
  process.exit(1)
}

async function serve(): Promise<void> {
  loadDotEnv()
  const config = readConfig()
  const serverConfig = readServerConfig()
  for (const problem of [...config.problems, ...serverConfig.problems]) logger.warn(problem)
  refuseExposure(serverConfig, config.sslEnvironment.isHeroku)

  const embedded = config.databaseUrl === undefined ? await startOwnDatabase() : undefined
  const databaseUrl = config.databaseUrl ?? embedded?.connectionString ?? ''
  const pool = createPool({ databaseUrl, sslEnvironment: config.sslEnvironment, maxConnections: 2 }, logger)
  const read = (request: ReadRequest) => readRows(pool, request)
  const app = createApp({ read, adminToken: serverConfig.adminToken, logger })
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, app)
  const retention = createRetention(pool, serverConfig)
  const closers = [async () => retention?.stop(), () => pool.end(), async () => embedded?.stop()]
  exitOnSignals(createShutdown({ server, closers, logger }))
  await listen(server, serverConfig)
  await reportMissingTables(read)
}

function createRetention(pool: ReturnType<typeof createPool>, { retentionDays, retentionKeepsDaily }: ServerConfig) {
  if (retentionDays === undefined) return undefined
  return startRetention({
    prune: async (signal) =>
      prune(pool, await findPruneBoundary(pool, retentionDays), { keepDaily: retentionKeepsDaily, signal }),
    logger,
  })
}

function refuseExposure({ host, adminToken }: ServerConfig, isHeroku: boolean): void {
  if (adminToken !== undefined || (isLoopbackHost(host) && !isHeroku)) return
  throw new ConfigurationError(
    'set TOKENLEDGER_ADMIN_TOKEN to a long random text: without it this app shows its reports to this machine only',
  )
}

async function startOwnDatabase(): Promise<EmbeddedServer> {
  logger.info('DATABASE_URL is not set: the embedded PostgreSQL in .data/ is used')
  const embedded = await startEmbeddedServer({ dataDirectory: '.data' })
  await migrate(embedded.connectionString)
  return embedded
}

async function listen(server: Server, { host, port, adminToken }: ServerConfig): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  logger.info({ host: address.address, port: address.port }, 'listening')
  if (adminToken === undefined) {
    logger.warn('TOKENLEDGER_ADMIN_TOKEN is not set: everybody on this machine may read the reports, nobody else')
  }
}

// With DATABASE_URL the release phase migrates, not each web process.
async function reportMissingTables(read: (request: ReadRequest) => Promise<JsonRow[]>): Promise<void> {
  try {
    const [row] = await read({ sql: "select to_regclass('token_usage_logs') is null as missing", timeoutMs: 5000 })
    if (row?.missing) logger.error('the table token_usage_logs is missing: run tokenledger migrate')
  } catch (error) {
    logger.error({ code: (error as { code?: string }).code }, 'the database does not answer; the reports need it')
  }
}
