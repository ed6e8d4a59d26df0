import pg from 'pg'
import { readConfig } from '../../src/config.js'
import { type EmbeddedServer, startEmbeddedServer } from '../../src/postgres/embedded-server.js'

export type DemoDatabase = {
  /** With a password: never print it. */
  readonly url: string
  /** Stops a server that was started for this, as soon as no other demo uses it. */
  close(): Promise<void>
}

export type DatabaseOptions = {
  /** Of the embedded server. */
  readonly dataDirectory: string
  /** Told what is going on, in a few words. */
  readonly report: (message: string) => void
  /** Ends the waiting for others. */
  readonly signal: AbortSignal
}

/** Of every demo, shared, while it uses a server that another process may own. Any number does. */
const lock = 7_261_004
/** Errors of a server that is being stopped, or has been; the last one has no code. */
const serverIsGone = ['ECONNREFUSED', 'ECONNRESET', '57P01', '57P03', 'Connection terminated unexpectedly']

/** The database of `DATABASE_URL`; without one that of the embedded server, which other demos may be using as well. */
export async function openDatabase(options: DatabaseOptions): Promise<DemoDatabase> {
  const { dataDirectory, report, signal } = options
  const { databaseUrl } = readConfig()
  if (databaseUrl !== undefined) {
    report('using the database of DATABASE_URL')
    return { url: databaseUrl, close: async () => {} }
  }
  for (;;) {
    const server = await startEmbeddedServer({ dataDirectory, onProgress: report })
    const session = await signIn(server)
    if (session === undefined) continue
    report(`PostgreSQL ${server.isOwner ? 'is running' : 'was running already'}, with its data in ${dataDirectory}`)
    const close = async () => {
      if (server.isOwner && !signal.aborted) await waitForOthers(session, options)
      await session.end()
      await server.stop()
    }
    return { url: server.connectionString, close }
  }
}

/** Undefined when the server was stopped by its owner in this moment. */
async function signIn(server: EmbeddedServer): Promise<pg.Client | undefined> {
  const client = new pg.Client({ connectionString: server.connectionString })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select pg_advisory_lock_shared($1)', [lock])
    return client
  } catch (error) {
    await server.stop()
    const { code, message } = error as NodeJS.ErrnoException
    if (serverIsGone.includes(code ?? message)) return undefined
    throw error
  }
}

// Their server would be gone with this process.
async function waitForOthers(session: pg.Client, { report, signal }: DatabaseOptions): Promise<void> {
  const { rows } = await session.query('select pg_try_advisory_lock($1) as "isAlone"', [lock])
  if (rows[0].isAlone) return
  report('waiting for another demo that uses this PostgreSQL')
  const leave = () => void session.end()
  signal.addEventListener('abort', leave)
  await session.query('select pg_advisory_lock($1)', [lock]).catch(() => {})
  signal.removeEventListener('abort', leave)
}
