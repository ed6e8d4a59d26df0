import pg from 'pg'
import type { SslEnvironment, SslMode } from '../config.js'
import type { DiagnosticLogger } from '../recording/diagnostics.js'
import { askPassword, type PasswordSource } from './ask-password.js'
import { parseDatabaseUrl } from './database-url.js'
import { decideSsl, type SslDecision } from './ssl-mode.js'

export type PoolSettings = {
  readonly databaseUrl: string
  /** Wins over the password in the URL. */
  readonly password?: PasswordSource | undefined
  readonly sslMode?: SslMode
  readonly sslEnvironment: SslEnvironment
  readonly maxConnections: number
  /** Milliseconds after which a query without an answer is given up; without it a query may wait for ever. */
  readonly queryTimeoutMs?: number
  /** Whether its clients send a query without waiting for the answer to the one before; none of them may use a cursor then. */
  readonly pipeline?: boolean
}

/**
 * A pool whose lost connections never end the process. Nothing is connected yet. Throws a `ConfigurationError`, which
 * never contains the URL, for settings that cannot be used. Call `end()` once, with nothing checked out or waiting.
 */
export function createPool(settings: PoolSettings, diagnostics?: DiagnosticLogger): pg.Pool {
  const url = parseDatabaseUrl(settings.databaseUrl)
  const decision = decideSsl({ url, sslMode: settings.sslMode, sslEnvironment: settings.sslEnvironment })
  const { host, port, user, database, parameters } = url
  const pool = new pg.Pool({
    // Part by part: from a connection string the driver would take its own idea of TLS, and prints it with the pool.
    host,
    port,
    user,
    password: settings.password ? askPassword(settings.password) : url.password,
    database,
    options: parameters.get('options') ?? undefined,
    application_name: parameters.get('application_name') ?? 'tokenledger',
    ssl: decision.ssl,
    sslnegotiation: parameters.get('sslnegotiation') === 'direct' ? 'direct' : 'postgres',
    max: settings.maxConnections,
    query_timeout: settings.queryTimeoutMs,
    pipeline: settings.pipeline,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 10_000,
    allowExitOnIdle: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: 1000,
  })
  surviveLostConnections(pool, diagnostics)
  reportSsl(decision, diagnostics)
  return pool
}

function surviveLostConnections(pool: pg.Pool, diagnostics: DiagnosticLogger | undefined): void {
  pool.on('error', (error: Error & { code?: string }) => {
    diagnostics?.warn({ code: error.code }, 'an idle database connection was lost; the next query opens another')
  })
  // While a client is checked out the pool does not listen for it. Whoever holds it learns of the loss by its query.
  pool.on('connect', (client) => {
    client.on('error', () => {})
  })
}

function reportSsl({ mode, decidedBy }: SslDecision, diagnostics: DiagnosticLogger | undefined): void {
  if (mode === 'no-verify') {
    diagnostics?.warn(
      { sslMode: mode },
      `the database connection is encrypted, but nobody checks who answers (decided by ${decidedBy}); to check it, add ` +
        "sslmode=verify-full and sslrootcert=<path of the authority's PEM file> to the database URL",
    )
  } else {
    diagnostics?.info({ sslMode: mode }, `the database connection uses sslmode ${mode} (decided by ${decidedBy})`)
  }
}
