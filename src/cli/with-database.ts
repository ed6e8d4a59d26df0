import { readConfig } from '../config.js'
import { ConfigurationError, ExportError, TokenLedgerError } from '../errors.js'
import { toExportError } from '../postgres/error-kind.js'
import { createPool } from '../postgres/pool.js'

type Pool = ReturnType<typeof createPool>

/**
 * Runs `work` with a pool of one connection to `DATABASE_URL`, which is closed afterwards. What the database or the way to
 * it refuses is thrown as one sentence without values of rows.
 */
export async function withDatabase<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
  const { databaseUrl, sslMode, sslEnvironment } = readConfig()
  if (!databaseUrl) {
    throw new ConfigurationError(
      'DATABASE_URL is not set. Set it, or write it into .env: DATABASE_URL=postgres://user:password@host:5432/database',
    )
  }
  const pool = createPool({ databaseUrl, sslMode, sslEnvironment, maxConnections: 1 })
  try {
    return await work(pool)
  } catch (error) {
    throw describeFailure(error)
  } finally {
    await pool.end()
  }
}

function describeFailure(error: unknown): unknown {
  if (error instanceof TokenLedgerError && !(error instanceof ExportError)) return error
  const { kind, reason, message } = toExportError(error)
  return reason === 'unknown' ? error : new ExportError(kind, reason, `The database cannot be used: ${message}`)
}
