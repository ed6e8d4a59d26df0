import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'

/** A pgbouncer in transaction mode before one database, with three connections to it. */
export type Pgbouncer = {
  readonly connectionString: string
  /** Sends one command to its console: `pause`. */
  command(command: string): Promise<void>
  /** Kills it, if it runs, and starts it again at the same address. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Whether there is a pgbouncer; where there is none, says so and what is not tested for it. */
export function isPgbouncerInstalled(untested: string): boolean {
  const isInstalled = spawnSync('pgbouncer', ['--version']).status === 0
  if (!isInstalled) console.warn(`pgbouncer is not installed: ${untested} is not tested (apt-get install pgbouncer)`)
  return isInstalled
}

export async function startPgbouncer(databaseUrl: string): Promise<Pgbouncer> {
  const directory = await mkdtemp(join(tmpdir(), 'tokenledger-pgbouncer-'))
  await chmod(directory, 0o755)
  const port = await findQuietPort()
  const file = join(directory, 'pgbouncer.ini')
  await writeFile(file, configure(new URL(databaseUrl), port))
  const urlOf = (database: string) => `postgres://anybody@127.0.0.1:${port}/${database}`
  const start = async () => {
    const process = startProcess(file)
    await untilItAnswers(urlOf('pgbouncer'), process)
    return process
  }
  let running = await start()
  return {
    connectionString: urlOf('test'),
    command: async (command) => void (await administer(urlOf('pgbouncer'), command)),
    restart: async () => {
      await kill(running)
      running = await start()
    },
    stop: async () => {
      await kill(running)
      await rm(directory, { recursive: true })
    },
  }
}

function configure({ hostname, port, pathname, username, password }: URL, listenPort: number): string {
  const target = `host=${hostname} port=${port || 5432} dbname=${pathname.slice(1)} user=${username}`
  return `[databases]
test = ${target}${password && ` password=${decodeURIComponent(password)}`}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
admin_users = anybody
pool_mode = transaction
default_pool_size = 3
server_login_retry = 1
`
}

// It refuses to run as root.
function startProcess(file: string): ChildProcess {
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  return spawn('pgbouncer', [file], { ...account, stdio: 'ignore' })
}

async function kill(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return
  const hasEnded = once(running, 'exit')
  running.kill('SIGKILL')
  await hasEnded
}

async function untilItAnswers(url: string, running: ChildProcess): Promise<void> {
  while (!(await administer(url, 'show version'))) {
    if (running.exitCode !== null) throw new Error(`pgbouncer ended with exit code ${running.exitCode}`)
  }
}

/** Sends a command to the console; false where nothing answers there. */
async function administer(url: string, command: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  try {
    await client.connect()
  } catch {
    return false
  }
  await client.query(command)
  await client.end()
  return true
}

/**
 * A free port below those that systems hand out by themselves: before pgbouncer listens, and between its death and its
 * return, no connection of another test takes it.
 */
async function findQuietPort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
