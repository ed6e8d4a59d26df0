import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { type EmbeddedServer, startEmbeddedServer } from '../../src/postgres/embedded-server.js'
import { migrate } from '../../src/postgres/migrator.js'
import type { JudgedDatabase } from './oracle.js'

/** How a server ends: it lets its clients finish nothing, it cleans up nothing, or it is killed. */
export type ServerEnd = 'fast' | 'immediate' | 'killed'

const signals = { fast: 'SIGINT', immediate: 'SIGQUIT', killed: 'SIGKILL' } as const

/** A PostgreSQL of one case, which may be ended and started again; on another port then. */
export class OwnServer implements JudgedDatabase {
  readonly #dataDirectory: string
  #server: EmbeddedServer
  #pool: pg.Pool

  private constructor(dataDirectory: string, server: EmbeddedServer) {
    this.#dataDirectory = dataDirectory
    this.#server = server
    this.#pool = createPool(server)
  }

  /** Starts one with the tables in it. */
  static async start(dataDirectory: string): Promise<OwnServer> {
    // Otherwise the account that runs PostgreSQL for root could not enter it.
    chmodSync(dataDirectory, 0o755)
    const server = await launch(dataDirectory)
    await migrate(server.connectionString)
    return new OwnServer(dataDirectory, server)
  }

  get connectionString(): string {
    return this.#server.connectionString
  }

  get pool(): pg.Pool {
    return this.#pool
  }

  async query(sql: string, parameters?: unknown[]): Promise<pg.QueryResultRow[]> {
    return (await this.#pool.query(sql, parameters)).rows
  }

  /** Ends the server and starts it again. */
  async restart(how: ServerEnd): Promise<void> {
    const [pid] = readFileSync(join(this.#dataDirectory, 'postgres/data/postmaster.pid'), 'utf8').split('\n')
    process.kill(Number(pid), signals[how])
    await this.#pool.end()
    this.#server = await launch(this.#dataDirectory)
    this.#pool = createPool(this.#server)
  }

  async stop(): Promise<void> {
    await this.#pool.end()
    await this.#server.stop()
  }
}

function launch(dataDirectory: string): Promise<EmbeddedServer> {
  return startEmbeddedServer({ dataDirectory, settings: { fsync: 'off', full_page_writes: 'off' } })
}

function createPool({ connectionString }: EmbeddedServer): pg.Pool {
  const pool = new pg.Pool({ connectionString })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}
