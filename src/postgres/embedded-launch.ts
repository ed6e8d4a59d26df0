import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { chmod, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TokenLedgerError } from '../errors.js'
import { findProcess, isRunning, type ProcessIdentity } from '../recording/process-identity.js'
import type { EmbeddedBinaries } from './embedded-binaries.js'
import type { EmbeddedHome } from './embedded-home.js'
import { stopServerProcess } from './stop-server-process.js'

/** What one start of a server needs. */
export type Launch = {
  readonly home: EmbeddedHome
  readonly binaries: EmbeddedBinaries
  readonly password: string
  readonly settings: Readonly<Record<string, string>>
  readonly onProgress: (message: string) => void
}

/** A server that is ready; or the log of one that gave way to another process or to another user of its port. */
export type LaunchResult = { readonly port: number; stop(): Promise<void> } | { readonly lostTo: string }

/** Of its own process group, so that Ctrl-C in a terminal reaches this process alone; the environment holds settings of others. */
const PLAIN = { cwd: '/', env: { LC_ALL: 'C' }, detached: true } as const
const POLL_MS = 10
const LOG_TAIL_LINES = 15
const DEFAULT_SETTINGS = { shared_buffers: '64MB', max_connections: '100', log_checkpoints: 'off' }
const LOST_RACE = /could not bind|lock file "postmaster\.pid"|pre-existing shared memory block/

/** Creates the cluster if there is none, starts a server on it and waits until it is ready. */
export async function launchServer(launch: Launch, deadline: number): Promise<LaunchResult> {
  const { home } = launch
  await removeLeftovers(home.directory)
  const workDirectory = await mkdtemp(join(home.directory, `starting-${identify(currentProcess())}-`))
  // The account may pass through it, but not put files in the way of root.
  await chmod(workDirectory, 0o711)
  try {
    if (!existsSync(home.data)) await createCluster(launch, workDirectory)
    const logFile = join(workDirectory, 'server.log')
    const port = await findFreePort()
    const child = spawnServer(launch, { logFile, port })
    if (await isReady(child, home, deadline)) {
      await rename(logFile, join(home.directory, 'server.log'))
      child.unref()
      return { port, stop: createStop(child) }
    }
    const log = readTail(logFile)
    if (LOST_RACE.test(log)) return { lostTo: log }
    throw new TokenLedgerError('TOKENLEDGER_EMBEDDED_SERVER', `The embedded PostgreSQL did not start.\n${log}`)
  } finally {
    await rm(workDirectory, { recursive: true, force: true })
  }
}

/** Whether a command line is that of a PostgreSQL server on this home's data. */
export function servesData(commandLine: string, { data }: EmbeddedHome): boolean {
  return commandLine.includes(`/postgres -D ${data} `)
}

/** The process that started the server with this command line; undefined when it was started by hand. */
export function findOwner(commandLine: string): ProcessIdentity | undefined {
  const [, pid, startedAt] = /tokenledger\.owner=(\d+)-(\w+)/.exec(commandLine) ?? []
  return pid && startedAt ? { pid: Number(pid), startedAt } : undefined
}

function currentProcess(): ProcessIdentity {
  const found = findProcess(process.pid)
  if (found) return found
  throw new TokenLedgerError(
    'TOKENLEDGER_EMBEDDED_SERVER',
    'The embedded PostgreSQL needs /proc or the command "ps" to tell which process it belongs to.',
  )
}

function identify({ pid, startedAt }: ProcessIdentity): string {
  return `${pid}-${startedAt}`
}

/** What processes killed during a start have left. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const [, pid, startedAt] = /^starting-(\d+)-(\w+)-/.exec(name) ?? []
    if (!pid || !startedAt || isRunning({ pid: Number(pid), startedAt })) continue
    await rm(join(directory, name), { recursive: true, force: true })
  }
}

function giveAway(path: string, { account }: EmbeddedHome): void {
  if (account) chownSync(path, account.uid, account.gid)
}

/** The cluster appears under its name only when it is complete; of two processes making one, the first wins. */
async function createCluster(launch: Launch, workDirectory: string): Promise<void> {
  const { home, binaries, password, onProgress } = launch
  onProgress('creating the PostgreSQL data directory (once)')
  const data = join(workDirectory, 'data')
  mkdirSync(data, { mode: 0o700 })
  giveAway(data, home)
  const passwordFile = join(workDirectory, 'password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  giveAway(passwordFile, home)
  const options = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
  await runInitdb(binaries.initdb, ['-D', data, '--no-sync', '--no-instructions', ...options, ...access], home)
  try {
    await rename(data, home.data)
  } catch (error) {
    if (!existsSync(home.data)) throw error
  }
}

async function runInitdb(program: string, args: readonly string[], { account }: EmbeddedHome): Promise<void> {
  const child = spawn(program, args, { ...account, ...PLAIN, stdio: ['ignore', 'ignore', 'pipe'] })
  const errors: string[] = []
  child.stderr?.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const [code, signal] = await once(child, 'close')
  if (code === 0) return
  throw new TokenLedgerError(
    'TOKENLEDGER_EMBEDDED_SERVER',
    `The PostgreSQL data directory could not be created: ${errors.join('').trim() || `initdb ended with ${code ?? signal}`}`,
  )
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

function spawnServer({ home, binaries, settings }: Launch, { logFile, port }: { logFile: string; port: number }) {
  const fixed = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    logging_collector: 'off',
    'tokenledger.owner': identify(currentProcess()),
  }
  const assignments = Object.entries({ ...DEFAULT_SETTINGS, ...settings, ...fixed })
  const args = ['-D', home.data, ...assignments.flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const log = openSync(logFile, 'a', 0o600)
  try {
    const child = spawn(binaries.postgres, args, { ...home.account, ...PLAIN, stdio: ['ignore', 'ignore', log] })
    child.on('error', () => {})
    if (child.pid) stopWithThisProcess(child, child.pid, home)
    return child
  } finally {
    closeSync(log)
  }
}

/**
 * Ends the server when this process has ended, by exit, signal or kill -9: a shell reads from a pipe that only then closes.
 * Handlers for exit and signals would miss kill -9, change what other handlers see, and stop the server while they drain.
 */
function stopWithThisProcess(server: ChildProcess, pid: number, { account }: EmbeddedHome): void {
  const script = ['-c', 'read -r _; kill -INT "$1"', 'sh', String(pid)]
  const watcher = spawn('/bin/sh', script, { ...account, ...PLAIN, stdio: ['pipe', 'ignore', 'ignore'] })
  watcher.on('error', () => server.kill('SIGINT'))
  // Once the server is gone its pid may be given to another process.
  server.once('exit', () => watcher.kill('SIGKILL'))
  watcher.unref()
  ;(watcher.stdin as Socket).unref()
}

/** Waits for the word "ready" in PostgreSQL's lock file; false when the server has ended first. */
async function isReady(child: ChildProcess, { data }: EmbeddedHome, deadline: number): Promise<boolean> {
  if (!child.pid) throw (await once(child, 'error'))[0]
  while (!hasEnded(child) && Date.now() < deadline) {
    const [pid, , , , , , , status = ''] = readOrEmpty(join(data, 'postmaster.pid')).split('\n')
    if (Number(pid) === child.pid && status.trim() === 'ready') return true
    await sleep(POLL_MS)
  }
  if (!hasEnded(child)) await createStop(child)()
  return false
}

function createStop(child: ChildProcess): () => Promise<void> {
  const server = child.pid ? findProcess(child.pid) : undefined
  const ended = new Promise<void>((resolve) => {
    if (hasEnded(child)) resolve()
    else child.once('exit', () => resolve())
  })
  let stopping: Promise<void> | undefined
  return () => {
    child.ref()
    stopping ??= server ? stopServerProcess(server).then(() => ended) : ended
    return stopping
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function readTail(path: string): string {
  return readOrEmpty(path).trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
