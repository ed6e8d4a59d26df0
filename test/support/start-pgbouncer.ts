import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'

/** A pgbouncer in transaction mode before a database, with three connections to it. */
export type Pgbouncer = {
  readonly connectionString: string
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
  const port = await findFreePort()
  const connectionString = `postgres://anybody@127.0.0.1:${port}/test`
  const file = join(directory, 'pgbouncer.ini')
  await writeFile(file, configure(new URL(databaseUrl), port))
  // It refuses to run as root.
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const pgbouncer = spawn('pgbouncer', [file], { ...account, stdio: 'ignore' })
  await untilItAnswers(connectionString, pgbouncer)
  const stop = async () => {
    const hasEnded = once(pgbouncer, 'exit')
    pgbouncer.kill('SIGKILL')
    await hasEnded
    await rm(directory, { recursive: true })
  }
  return { connectionString, stop }
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
pool_mode = transaction
default_pool_size = 3
`
}

async function untilItAnswers(connectionString: string, pgbouncer: ChildProcess): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString })
    const isThere = await client.connect().then(
      () => true,
      () => false,
    )
    await client.end()
    if (isThere) return
    if (pgbouncer.exitCode !== null) throw new Error(`pgbouncer ended with exit code ${pgbouncer.exitCode}`)
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
