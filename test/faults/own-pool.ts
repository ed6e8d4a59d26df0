import { readFileSync } from 'node:fs'
import pg from 'pg'

export type OwnPoolSettings = {
  readonly databaseUrl: string
  /** Read at each connection, as an application does whose password is rotated. */
  readonly passwordFile?: string
  /** Takes away from each statement what makes it harmless to repeat it. */
  readonly isNaive?: boolean
}

/** A pool as an application may bring it along. */
export function createOwnPool({ databaseUrl, passwordFile, isNaive }: OwnPoolSettings): pg.Pool {
  const { hostname: host, port, username: user, password, pathname } = new URL(databaseUrl)
  const pool = new pg.Pool({
    host,
    port: Number(port),
    user,
    password: passwordFile ? () => readFileSync(passwordFile, 'utf8') : password,
    database: pathname.slice(1),
    application_name: 'tokenledger',
    connectionTimeoutMillis: 5000,
  })
  if (isNaive) pool.on('connect', forgetConflicts)
  return pool
}

function forgetConflicts(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (statement: pg.QueryConfig) => Promise<pg.QueryResult>
  const naive = ({ text, ...rest }: pg.QueryConfig) => query({ ...rest, text: text.replace(/\non conflict .*$/, '') })
  Object.assign(client, { query: naive })
}
