import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/postgres/migrator.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const isInstalled = spawnSync('pgbouncer', ['--version']).status === 0
if (!isInstalled)
  console.warn('pgbouncer is not installed: migrating through it is not tested (apt-get install pgbouncer)')

let database: TestDatabase
let pgbouncer: ChildProcess
let directory: string
let url: string

beforeAll(async () => {
  if (!isInstalled) return
  database = await createTestDatabase({ template: 'empty' })
  directory = await mkdtemp(join(tmpdir(), 'tokenledger-pgbouncer-'))
  await chmod(directory, 0o755)
  const port = await findFreePort()
  url = `postgres://anybody@127.0.0.1:${port}/test`
  await writeFile(join(directory, 'pgbouncer.ini'), configure(new URL(database.connectionString), port))
  pgbouncer = startPgbouncer()
  await untilItAnswers()
})
afterAll(async () => {
  if (!isInstalled) return
  const hasEnded = once(pgbouncer, 'exit')
  pgbouncer.kill('SIGKILL')
  await hasEnded
  await database.drop()
  await rm(directory, { recursive: true })
})

test.runIf(isInstalled)(
  'eight migrate at once through a transaction-mode pgbouncer, and leave nothing behind',
  async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => migrate(url, { timeZone: 'Europe/Berlin' })))

    expect(results.filter(({ applied }) => applied.length > 0)).toHaveLength(1)
    expect(results.map(({ timeZone }) => timeZone)).toEqual(Array(8).fill('Europe/Berlin'))
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query(`
    select
      current_setting('search_path') as path,
      current_setting('lock_timeout') as lock_timeout,
      (select count(*)::int from pg_locks where locktype = 'advisory') as locks`)
    await client.end()
    expect(rows).toEqual([{ path: '"$user", public', lock_timeout: '0', locks: 0 }])
  },
)

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

// It refuses to run as root.
function startPgbouncer(): ChildProcess {
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  return spawn('pgbouncer', [join(directory, 'pgbouncer.ini')], { ...account, stdio: 'ignore' })
}

async function untilItAnswers(): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString: url })
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
