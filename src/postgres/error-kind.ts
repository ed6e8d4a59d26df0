import { ExportError, type ExportErrorKind } from '../errors.js'

const sqlState = /^[0-9A-Z]{5}$/
const certificateCode = /^(CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|ERR_TLS_CERT_)/

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const configurationStates = new Set([
  '08P01',
  '26000',
  '3D000',
  '3F000',
  '42501',
  '42P01',
  '42703',
  '42P05',
  '42P10',
  '2200H',
])
const configurationClasses = new Set(['28', '42'])
const dataClasses = new Set(['21', '22', '23', '54', 'P0'])

const away = 'it is being shut down or started'
const broken = 'the connection broke'
const silent = 'it did not answer in time'

const meanings: Readonly<Record<string, string>> = {
  '08P01': 'the pooler before it does not accept the options of the connection; take them out of the database URL',
  '2200H': 'the id sequence of token_usage_logs is exhausted; make the column a bigint',
  '25006': 'the database is read-only',
  '25P03': broken,
  '28000': 'the database refuses this user or this kind of connection',
  '28P01': 'the database refuses the password',
  '3D000': 'the database does not exist',
  '42501': 'the database user may not write the usage tables',
  '42703': 'a column is missing; run tokenledger migrate',
  '42P01': 'a usage table is missing; run tokenledger migrate',
  '53100': 'its disk is full',
  '40001': 'another transaction was in the way',
  '40P01': 'another transaction was in the way',
  '53300': 'it has no connection left',
  '55P03': 'a lock on the table was not released in time',
  '57014': 'the write took too long and was cancelled',
  '57P01': away,
  '57P02': away,
  '57P03': away,
  'connection lost': broken,
  EAI_AGAIN: 'its host name cannot be looked up now',
  ECONNREFUSED: 'nothing answers at its address',
  ECONNRESET: broken,
  EHOSTUNREACH: 'there is no way to its address',
  ENETUNREACH: 'there is no way to its address',
  ENOTFOUND: 'its host name is not known',
  EPIPE: broken,
  ETIMEDOUT: silent,
  'pool ended': 'its pool was ended; await usage.close() before pool.end()',
  'no TLS': 'it offers no encryption and the settings ask for it; see sslmode',
  SASL: 'it asks for a password and none is set',
  timeout: silent,
}

const takenId = 'an id of token_usage_logs is taken already; its sequence is behind its ids and must be set forward'

// All that pgbouncer says in its own name has the code 08P01, be it for a moment or for good.
const lostByPooler = 'the pooler before it has lost its connection or gave none in time'

/**
 * What an error of the driver means for the rows of the write. Only what PostgreSQL says of the data itself is about the
 * data; everything unknown may pass. Of the server's words only the SQLSTATE goes on: the rest may hold values of rows.
 */
export function toExportError(error: unknown): ExportError {
  if (error instanceof ExportError) return error
  const { code, constraint, detail, message } = Object(error) as DriverError
  const reason = typeof code === 'string' && code !== '' ? code : reasonOf(String(message))
  if (reason === '23505' && isAboutId(constraint, detail)) {
    return new ExportError('configuration', reason, `${takenId} (${reason})`)
  }
  if (reason === '08P01' && !/startup parameter/.test(String(message))) {
    return new ExportError('passing', reason, `${lostByPooler} (${reason})`)
  }
  const kind = kindOf(reason)
  return new ExportError(kind, reason, `${meaningOf(reason, kind)} (${reason})`)
}

type DriverError = {
  readonly code?: unknown
  readonly constraint?: unknown
  readonly detail?: unknown
  readonly message?: unknown
}

// The primary key of an adopted table may have any name, and the detail is missing where columns may not be read.
function isAboutId(constraint: unknown, detail: unknown): boolean {
  return /_pkey$/.test(String(constraint)) || /\(id\)=\(/.test(String(detail))
}

function meaningOf(reason: string, kind: ExportErrorKind): string {
  if (certificateCode.test(reason)) return 'its certificate is not accepted; see sslmode and sslrootcert'
  return meanings[reason] ?? (kind === 'data' ? 'a value does not fit its column' : 'the write failed')
}

function kindOf(reason: string): ExportErrorKind {
  if (['SASL', 'no TLS', 'pool ended'].includes(reason) || certificateCode.test(reason)) return 'configuration'
  if (!sqlState.test(reason)) return 'passing'
  const stateClass = reason.slice(0, 2)
  if (configurationStates.has(reason) || configurationClasses.has(stateClass)) return 'configuration'
  return dataClasses.has(stateClass) ? 'data' : 'passing'
}

// The driver's own errors have no code, and fixed words.
function reasonOf(message: string): string {
  if (/timeout/i.test(message)) return 'timeout'
  if (/not support SSL/.test(message)) return 'no TLS'
  if (/after calling end on the pool/.test(message)) return 'pool ended'
  if (/^SASL/.test(message)) return 'SASL'
  return /connection/i.test(message) ? 'connection lost' : 'unknown'
}
