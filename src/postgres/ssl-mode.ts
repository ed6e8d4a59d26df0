import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import type { SslEnvironment, SslMode } from '../config.js'
import { ConfigurationError } from '../errors.js'
import { type DatabaseUrl, isLoopbackHost } from './database-url.js'

export type SslRequest = {
  readonly url: DatabaseUrl
  /** The application's explicit choice; it wins over everything else. */
  readonly sslMode?: SslMode
  readonly sslEnvironment: SslEnvironment
}

export type SslDecision = {
  readonly mode: SslMode
  /** What decided, as a log line names it: `PGSSLMODE=require`. */
  readonly decidedBy: string
  /** What node-postgres takes as its `ssl` option. */
  readonly ssl: false | ConnectionOptions
}

type Choice = { readonly mode: SslMode; readonly decidedBy: string }
type RootCertificate = { readonly name: string; readonly path: string }

/**
 * Decides how a connection is encrypted: the option, else the URL (`sslmode`, `ssl`, `sslrootcert`), else `PGSSLMODE` and
 * `PGSSLROOTCERT`, else a Heroku dyno (`no-verify`), else not at all. The modes mean what they mean to libpq,
 * but for `allow` and `prefer`: both encrypt, unless the server is on this machine.
 * Throws a `ConfigurationError` for a mode or a certificate that cannot be used.
 */
export function decideSsl(request: SslRequest): SslDecision {
  const root = findRootCertificate(request)
  const choice = choose(request, root)
  return { ...choice, ssl: toTlsOptions(choice, request.url.parameters, root) }
}

function choose({ url, sslMode, sslEnvironment }: SslRequest, root: RootCertificate | undefined): Choice {
  const parameter = url.parameters.has('sslmode') ? 'sslmode' : 'ssl'
  const inUrl = url.parameters.get(parameter)
  const isLocal = url.host !== undefined && isLoopbackHost(url.host)
  const readMode = (value: string, setting: string): Choice => {
    const mode = toMode(value, { isLocal, hasRoot: root !== undefined })
    // The driver cannot try one way and then the other, as libpq does for these two.
    const isEither = value === 'allow' || value === 'prefer'
    if (mode) return { mode, decidedBy: isEither ? `${setting}, of which the driver can do only one` : setting }
    throw new ConfigurationError(
      `${setting} is no way to encrypt a PostgreSQL connection: use disable, no-verify, require, verify-ca or verify-full`,
    )
  }

  if (url.host?.startsWith('/')) return { mode: 'disable', decidedBy: 'a Unix socket' }
  if (sslMode) return readMode(sslMode, `the option sslMode=${short(sslMode)}`)
  if (inUrl) return readMode(inUrl, `${parameter}=${short(inUrl)} in the database URL`)
  if (url.parameters.get('sslrootcert')) return { mode: 'verify-full', decidedBy: 'sslrootcert in the database URL' }
  if (sslEnvironment.mode) return readMode(sslEnvironment.mode, `PGSSLMODE=${short(sslEnvironment.mode)}`)
  if (root) return { mode: 'verify-full', decidedBy: root.name }
  if (sslEnvironment.isHeroku && !isLocal) return { mode: 'no-verify', decidedBy: 'the Heroku dyno' }
  return { mode: 'disable', decidedBy: 'the default' }
}

function toMode(value: string, { isLocal, hasRoot }: { isLocal: boolean; hasRoot: boolean }): SslMode | undefined {
  switch (value) {
    case 'disable':
    case 'no-verify':
    case 'verify-ca':
    case 'verify-full':
      return value
    case 'false':
    case '0':
      return 'disable'
    case 'require':
    case 'true':
    case '1':
      return hasRoot ? 'verify-ca' : 'no-verify'
    case 'allow':
    case 'prefer':
      return isLocal ? 'disable' : 'no-verify'
    default:
      return undefined
  }
}

function toTlsOptions(
  { mode, decidedBy }: Choice,
  parameters: URLSearchParams,
  root: RootCertificate | undefined,
): false | ConnectionOptions {
  if (mode === 'disable') return false
  const identity = {
    cert: readPem('sslcert in the database URL', parameters.get('sslcert')),
    key: readPem('sslkey in the database URL', parameters.get('sslkey')),
  }
  if (mode === 'no-verify') return { ...identity, rejectUnauthorized: false }
  if (mode === 'verify-ca' && !root) {
    throw new ConfigurationError(
      `${decidedBy} needs the authority's certificate: add sslrootcert=<path of its PEM file> to the database URL or set PGSSLROOTCERT`,
    )
  }
  const options = { ...identity, ca: root && readPem(root.name, root.path), rejectUnauthorized: true }
  return mode === 'verify-full' ? options : { ...options, checkServerIdentity: () => undefined }
}

function findRootCertificate({ url, sslEnvironment }: SslRequest): RootCertificate | undefined {
  const inUrl = url.parameters.get('sslrootcert')
  if (inUrl) return { name: 'sslrootcert in the database URL', path: inUrl }
  const inEnvironment = sslEnvironment.rootCertificate
  return inEnvironment ? { name: 'PGSSLROOTCERT', path: inEnvironment } : undefined
}

function readPem(name: string, path: string | null): string | undefined {
  if (!path) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ConfigurationError(`${name} names a file that cannot be read (${code}): ${path}`)
  }
}

function short(value: string): string {
  return value.length > 40 ? `${value.slice(0, 40)}...` : value
}
