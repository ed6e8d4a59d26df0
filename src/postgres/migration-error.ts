import pg from 'pg'
import { MigrationError, TokenLedgerError } from '../errors.js'

/** Whether a migration failed only because somebody else was at the tables: trying again may do. */
export function isLockConflict(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === '55P03' || error.code === '40P01')
}

/**
 * What went wrong as a `MigrationError` that a person can act on; errors of other origin are returned as they are.
 * Of the server's words only message and hint go on: its other fields may hold values of rows, as would a cause.
 */
export function toMigrationError(error: unknown, prefix = ''): unknown {
  if (error instanceof pg.DatabaseError) {
    const nextStep =
      error.code === '42501'
        ? 'Migrate as the owner of token_usage_logs, with the right to create in its schema.'
        : (error.hint ?? '')
    return new MigrationError(`${prefix}${error.message} ${nextStep}`.trim())
  }
  if (!(error instanceof Error) || error instanceof TokenLedgerError) return error
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined && !/connection|timeout/i.test(error.message)) return error
  return new MigrationError(
    `No answer from PostgreSQL: ${error.message || code}. Check the database URL, then migrate again.`,
  )
}
