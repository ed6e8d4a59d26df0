import { ConfigurationError } from '../errors.js'

/** What a database URL says, decoded. `parameters` are those behind the question mark. */
export type DatabaseUrl = {
  /** Undefined where the URL names none, and a path where it names a Unix socket's directory. */
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly password?: string
  readonly database?: string
  readonly parameters: URLSearchParams
}

/**
 * Takes a PostgreSQL URL apart. Throws a `ConfigurationError` that never contains the URL, for it may hold a password.
 */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const url = toUrl(text.trim())
  const parameters = url.searchParams
  const port = parameters.get('port') || url.port
  if (port && !/^\d{1,5}$/.test(port)) throw malformed('its port is not a number')
  return {
    host: parameters.get('host') || decode(url.hostname).replace(/^\[(.+)\]$/, '$1') || undefined,
    port: port ? Number(port) : undefined,
    user: parameters.get('user') || decode(url.username) || undefined,
    password: parameters.get('password') || decode(url.password) || undefined,
    database: decode(url.pathname.slice(1)) || undefined,
    parameters,
  }
}

/** Whether a host name or address never leaves this machine. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

function toUrl(text: string): URL {
  if (!/^postgres(ql)?:\/\//i.test(text)) throw malformed('it does not start with postgres:// or postgresql://')
  // user:password@/database?host=/directory, the usual form for a Unix socket, is no URL without a host.
  const hasEmptyHost = /^[^/]+:\/\/[^/?#]*@\//.test(text)
  const url = URL.parse(hasEmptyHost ? text.replace('@/', '@localhost/') : text)
  const afterHost = url ? url.pathname + url.hash + (url.username ? '' : url.search) : ''
  if (!url || afterHost.includes('@')) {
    throw malformed('if its user name or password contains any of / ? # @ : %, write those percent-encoded')
  }
  return url
}

function malformed(reason: string): ConfigurationError {
  return new ConfigurationError(
    `the database URL cannot be read: ${reason}. The form is postgres://user:password@host:5432/database`,
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A bare percent sign: what was written is what was meant.
    return text
  }
}
