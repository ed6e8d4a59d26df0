import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { loadDotEnv, readConfig, readServerConfig, type ServerConfig } from '../config.js'
import { createUsageLogger, type UsageLogger } from '../create-usage-logger.js'
import { createUsageReports, type UsageReports } from '../create-usage-reports.js'
import { ConfigurationError } from '../errors.js'
import { findPruneBoundary, prune } from '../history/prune.js'
import { isLoopbackHost } from '../postgres/database-url.js'
import { type EmbeddedServer, startEmbeddedServer } from '../postgres/embedded-server.js'
import { migrate } from '../postgres/migrator.js'
import { createPool } from '../postgres/pool.js'
import { type JsonRow, type ReadRequest, readRows } from '../postgres/read-rows.js'
import { type AdminToken, adminTokenFile, findOrCreateAdminToken, keepAdminToken } from './admin-token.js'
import { createApp } from './app.js'
import { logDemoData } from './demo-data.js'
import { createShutdown, exitOnSignals } from './graceful-shutdown.js'
import { openModelClients } from './model-clients.js'
import { startRetention } from './retention.js'
import { createViewerTokens, digestOf } from './viewer.js'

const logger = pino({ base: null })
const reportTimeoutMs = 15_000

try {
  await serve()
} catch (error) {
  logger.fatal(error instanceof Error ? error.message : String(error))
  process.exit(1)
}

async function serve(): Promise<void> {
  const { values: flags } = parseArgs({ options: { 'demo-data': { type: 'boolean' } } })
  loadDotEnv()
  const config = readConfig()
  const serverConfig = readServerConfig()
  for (const problem of [...config.problems, ...serverConfig.problems]) logger.warn(problem)
  refuseExposure(serverConfig, config.sslEnvironment.isHeroku)

  const admin = serverConfig.adminToken ? { digest: digestOf(serverConfig.adminToken) } : findOrCreateAdminToken()
  const embedded = config.databaseUrl === undefined ? await startOwnDatabase() : undefined
  const databaseUrl = config.databaseUrl ?? embedded?.connectionString ?? ''
  const pool = createPool({ databaseUrl, sslEnvironment: config.sslEnvironment, maxConnections: 2 }, logger)
  const reports = createUsageReports({ databaseUrl, timeoutMs: reportTimeoutMs })
  const usage = createUsageLogger({ enabled: serverConfig.isLoggingEnabled, databaseUrl, logger })
  const read = (request: ReadRequest) => readRows(pool, request)
  // Whether the database answers is asked beside all that may keep it busy.
  const healthPool = createPool({ databaseUrl, sslEnvironment: config.sslEnvironment, maxConnections: 1 }, logger)
  const app = createApp({
    read,
    readHealth: (request) => readRows(healthPool, request),
    reports,
    tokens: createViewerTokens(admin.digest),
    tokenDigests: [admin.digest, ...(serverConfig.ingestToken ? [digestOf(serverConfig.ingestToken)] : [])],
    usage,
    clients: await openModelClients(usage, serverConfig, logger),
    logger,
  })
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, app)
  const retention = createRetention(pool, serverConfig)
  const closers = [
    // Rows first: what a prune has not removed can wait, and the requests may have left little time.
    async () => Promise.all([usage.close({ timeoutMs: 4000 }), retention?.stop()]),
    () => reports.close(),
    () => healthPool.end(),
    () => pool.end(),
    async () => embedded?.stop(),
  ]
  exitOnSignals(createShutdown({ server, closers, logger }))
  await listen(server, serverConfig, admin)
  await reportMissingTables(read)
  if (flags['demo-data']) {
    const empty = embedded ? 'stop, remove .data/postgres and start again' : 'set DATABASE_URL to an empty one'
    await fillWithDemoData({ usage, reports, wayOut: `they fill an empty database only: ${empty}` })
  }
}

type DemoParts = { readonly usage: UsageLogger; readonly reports: UsageReports; readonly wayOut: string }

// Invented calls among real ones could never be told apart again.
async function fillWithDemoData({ usage, reports, wayOut }: DemoParts): Promise<void> {
  const { totals } = await reports.getUsageTotals()
  if (totals.requests > 0)
    return logger.warn(`--demo-data adds nothing to the ${totals.requests} calls that are recorded already; ${wayOut}`)
  logger.info('90 days of invented calls are being written')
  logger.info(`${await logDemoData(usage)} invented calls are written`)
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
    'set TOKENLEDGER_ADMIN_TOKEN to a long random text: without it this app is for this machine only',
  )
}

async function startOwnDatabase(): Promise<EmbeddedServer> {
  logger.info('DATABASE_URL is not set: the embedded PostgreSQL in .data/ is used')
  const embedded = await startEmbeddedServer({ dataDirectory: '.data' })
  await migrate(embedded.connectionString)
  return embedded
}

async function listen(server: Server, { host, port, adminToken }: ServerConfig, admin: AdminToken): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening').catch((error) => {
    throw new ConfigurationError(
      `${host}:${port} cannot be listened at (${error.code}): set PORT to a free port, and HOST to an address of this machine`,
    )
  })
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  logger.info({ host: address.address, port: address.port }, 'listening')
  logger.info(`the page is at http://${name}:${address.port}/`)
  if (admin.token !== undefined) {
    logger.info(`sign in with this token, which is shown only now: ${admin.token}`)
    keepAdminToken(admin)
  } else if (adminToken === undefined)
    logger.info(`sign in with the token that was shown at the first start; remove ${adminTokenFile} for a new one`)
  else logger.info('sign in with TOKENLEDGER_ADMIN_TOKEN')
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
