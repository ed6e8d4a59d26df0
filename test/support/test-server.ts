import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbeddedServer } from '../../src/postgres/embedded-server.js'
import { migrate } from '../../src/postgres/migrator.js'
import { findDockerEngine } from './docker-engine.js'

/** A PostgreSQL with a migrated template database, whose user may create databases. */
export type TestServer = {
  readonly url: string
  /** Prefix of the names of all databases of this run; `${prefix}migrated` is the template. */
  readonly prefix: string
  readonly description: string
  /** Removes all databases of this run, and the server if it was started for it. */
  stop(): Promise<void>
}

type Server = Omit<TestServer, 'prefix'>

/** The PostgreSQL of TEST_DATABASE_URL, or one in a container, or an embedded one. */
export async function startTestServer(): Promise<TestServer> {
  const server = await startServer()
  const prefix = `tokenledger_test_${randomBytes(6).toString('hex')}_`
  const stop = async () => {
    await dropDatabases(server.url, prefix)
    await server.stop()
  }

  try {
    await createTemplate(server.url, `${prefix}migrated`)
  } catch (error) {
    await stop()
    throw error
  }
  return { ...server, prefix, stop }
}

async function startServer(): Promise<Server> {
  const url = process.env.TEST_DATABASE_URL
  if (url) return { url, description: 'the PostgreSQL of TEST_DATABASE_URL', stop: async () => {} }
  const container = (await findDockerEngine()) ? await tryContainer() : undefined
  return container ?? startTemporaryServer()
}

// An engine may answer and still have no way to an image.
async function tryContainer(): Promise<Server | undefined> {
  try {
    return await startContainer()
  } catch (error) {
    console.log(`The container could not be started (${error instanceof Error ? error.message : error})`)
    return undefined
  }
}

async function startContainer(): Promise<Server> {
  const image = 'postgres:17-alpine'
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const container = await new PostgreSqlContainer(image).start()
  return {
    url: container.getConnectionUri(),
    description: `a container of ${image}`,
    stop: async () => void (await container.stop()),
  }
}

async function startTemporaryServer(): Promise<Server> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'tokenledger-test-'))
  // Otherwise the account that runs PostgreSQL for root could not enter it.
  await chmod(dataDirectory, 0o755)
  const remove = () => rmSync(dataDirectory, { recursive: true, force: true, maxRetries: 5 })
  // An interrupted run exits without tearing down.
  process.once('exit', remove)
  try {
    const server = await startEmbeddedServer({ dataDirectory, settings: { fsync: 'off', full_page_writes: 'off' } })
    const stop = async () => {
      await server.stop()
      remove()
    }
    return {
      url: server.connectionString,
      description: 'an embedded PostgreSQL (no TEST_DATABASE_URL, no container)',
      stop,
    }
  } catch (error) {
    remove()
    throw error
  }
}

async function createTemplate(serverUrl: string, name: string): Promise<void> {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  await administer(serverUrl, (client) => client.query(`create database ${name} template template0`))
  await migrate(url.href)
  // A database that somebody is connected to cannot be cloned.
  await administer(serverUrl, (client) => client.query(`alter database ${name} allow_connections false`))
}

async function dropDatabases(serverUrl: string, prefix: string): Promise<void> {
  await administer(serverUrl, async (client) => {
    const found = await client.query<{ datname: string }>(
      'select datname from pg_database where starts_with(datname, $1)',
      [prefix],
    )
    for (const { datname } of found.rows) await client.query(`drop database if exists ${datname} with (force)`)
  })
}

async function administer(serverUrl: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
