import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { ConfigurationError } from '../../src/errors.js'
import { startEmbeddedServer } from '../../src/postgres/embedded-server.js'
import { readCommandLine } from '../../src/recording/process-identity.js'
import { bundleScript } from '../support/bundle-script.js'

const isRoot = process.getuid?.() === 0
const parents: ChildProcess[] = []
let root: string
let dataDirectory: string

beforeAll(async () => {
  root = await mkdtemp(join(realpathSync(tmpdir()), 'tokenledger-embedded-'))
  // Otherwise the account that runs PostgreSQL for root could not enter it.
  await chmod(root, 0o755)
  dataDirectory = join(root, 'data')
})

afterEach(async () => {
  for (const parent of parents.splice(0)) parent.kill('SIGKILL')
  await expect.poll(() => listServers()).toEqual([])
})

afterAll(() => rm(root, { recursive: true, force: true }))

it('answers on the loopback address only, in UTC, to nobody without the password', async () => {
  const server = await startEmbeddedServer({ dataDirectory })

  const [settings] = await query(
    server.connectionString,
    `select current_setting('listen_addresses') as address, current_setting('unix_socket_directories') as sockets,
       current_setting('TimeZone') as zone, current_setting('fsync') as fsync, current_setting('server_encoding') as encoding`,
  )
  const wrongPassword = server.connectionString.replace(/:[0-9a-f]+@/, ':wrong@')
  const refusal = await query(wrongPassword, 'select 1').catch((error: unknown) => error)
  await server.stop()

  expect(settings).toEqual({ address: '127.0.0.1', sockets: '', zone: 'UTC', fsync: 'on', encoding: 'UTF8' })
  expect(refusal).toMatchObject({ code: '28P01' })
  expect(server.isOwner).toBe(true)
  expect(statSync(join(dataDirectory, 'postgres/password')).mode & 0o777).toBe(0o600)
  expect(statSync(join(dataDirectory, 'postgres/server.log')).mode & 0o777).toBe(0o600)
})

it('is spoken to without TLS, which it has not, whatever PGSSLMODE asks of other servers', async () => {
  vi.stubEnv('PGSSLMODE', 'require')
  onTestFinished(() => void vi.unstubAllEnvs())

  const server = await startEmbeddedServer({ dataDirectory })
  const rows = await query(server.connectionString, 'select 1 as one')
  await server.stop()

  expect(rows).toEqual([{ one: 1 }])
})

it('keeps its data when it is stopped and started again', async () => {
  const first = await startEmbeddedServer({ dataDirectory, database: 'my "app"' })
  await query(first.connectionString, 'create table kept as select 42 as answer')
  await first.stop()
  await first.stop()

  const second = await startEmbeddedServer({ dataDirectory, database: 'my "app"' })
  const rows = await query(second.connectionString, 'select answer from kept')
  await second.stop()

  expect(rows).toEqual([{ answer: 42 }])
})

it('joins the server of a living process and leaves it running', async () => {
  const parent = await startParent('wait')

  const joined = await startEmbeddedServer({ dataDirectory })
  await joined.stop()
  const rows = await query(parent.connectionString, 'select 1 as one')

  expect(joined.isOwner).toBe(false)
  expect(joined.connectionString).toBe(parent.connectionString)
  expect(rows).toEqual([{ one: 1 }])
})

it('has one owner when several processes make the same directory at once', async () => {
  const fresh = join(root, 'fresh')

  const started = await Promise.all([1, 2, 3].map(() => startParent('wait', fresh)))
  const answers = await Promise.all(started.map((parent) => query(parent.connectionString, 'select 1 as one')))

  expect(started.filter((parent) => parent.isOwner)).toHaveLength(1)
  expect(answers.flat()).toEqual([{ one: 1 }, { one: 1 }, { one: 1 }])
  expect(readdirSync(join(fresh, 'postgres')).sort()).toEqual(['data', 'password', 'server.log'])
})

it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('ends with a parent that %s ends', async (signal) => {
  const parent = await startParent('wait')

  parent.process.kill(signal)
  const [code, endedBy] = await once(parent.process, 'exit')

  expect([code, endedBy]).toEqual([null, signal])
  await expect.poll(() => listServers()).toEqual([])
})

it.each(['SIGINT', 'SIGTERM'] as const)('serves an application that drains on %s until it exits', async (signal) => {
  const database = await startEmbeddedServer({ dataDirectory })
  await query(database.connectionString, 'drop table if exists drained')
  await database.stop()
  const parent = await startParent('drain on a signal')

  // To the whole process group, as Ctrl-C in a terminal does.
  process.kill(-(parent.process.pid ?? Number.NaN), signal)
  const [code] = await once(parent.process, 'exit')

  expect(code).toBe(7)
  await expect.poll(() => listServers()).toEqual([])
  const after = await startEmbeddedServer({ dataDirectory })
  expect(await query(after.connectionString, "select to_regclass('drained')::text as name")).toEqual([
    { name: 'drained' },
  ])
  await after.stop()
})

it('does not keep a script alive that forgot to stop it', async () => {
  const parent = await startParent('end without stopping')

  const [code] = parent.process.exitCode === null ? await once(parent.process, 'exit') : [parent.process.exitCode]

  expect(code).toBe(0)
})

it('recovers a server that outlived its parent, with what was committed', async () => {
  const parent = await startParent('wait')
  await query(parent.connectionString, 'create table if not exists committed as select 1 as one')
  const [orphan] = listServers()
  for (const watcher of listProcesses().filter(({ command }) => command.endsWith(` sh ${orphan?.pid}`))) {
    process.kill(watcher.pid, 'SIGKILL')
  }
  parent.process.kill('SIGKILL')
  await once(parent.process, 'exit')
  await sleep(100)
  await expect.poll(() => listServers()).toEqual([orphan])

  const next = await startEmbeddedServer({ dataDirectory })
  const rows = await query(next.connectionString, 'select * from committed')
  await expect.poll(() => listServers()).toEqual([{ pid: expect.any(Number), command: expect.any(String) }])
  const [server] = listServers()
  await next.stop()

  expect(next.isOwner).toBe(true)
  expect(rows).toEqual([{ one: 1 }])
  expect(server?.pid).not.toBe(orphan?.pid)
})

it('leaves a stranger alone that was given the pid in a stale lock file', async () => {
  await (await startEmbeddedServer({ dataDirectory })).stop()
  const { uid, gid } = statSync(join(dataDirectory, 'postgres/data'))
  const stranger = spawn('/bin/sleep', ['600'], isRoot ? { uid, gid } : {})
  onTestFinished(() => void stranger.kill('SIGKILL'))
  const lock = [stranger.pid, join(dataDirectory, 'postgres/data'), 1, 1, '', '127.0.0.1', '', 'ready', '']
  writeFileSync(join(dataDirectory, 'postgres/data/postmaster.pid'), lock.join('\n'))

  const server = await startEmbeddedServer({ dataDirectory })
  await server.stop()

  expect(server.isOwner).toBe(true)
  expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
})

it('shows the last lines of the log when PostgreSQL does not start', async () => {
  const start = startEmbeddedServer({ dataDirectory, settings: { shared_buffers: 'plenty' } })

  await expect(start).rejects.toThrow(/did not start.*invalid value for parameter "shared_buffers": "plenty"/s)
  expect(readdirSync(join(dataDirectory, 'postgres')).sort()).toEqual(['data', 'password', 'server.log'])
})

it('refuses the data of another major version and says what to do', async () => {
  const old = join(root, 'old')
  await mkdir(join(old, 'postgres/data'), { recursive: true })
  writeFileSync(join(old, 'postgres/password'), 'secret')
  writeFileSync(join(old, 'postgres/data/PG_VERSION'), '15\n')
  if (isRoot) execFileSync('chown', ['-R', 'nobody', join(old, 'postgres/data')])

  const error = await startEmbeddedServer({ dataDirectory: old }).catch((error: unknown) => error)

  expect(error).toBeInstanceOf(ConfigurationError)
  expect((error as Error).message).toMatch(/old\/postgres\/data was made by PostgreSQL 15, .* version 18\. Install/)
})

it('keeps the data outside a directory that only root can enter, and finds it again', async (context) => {
  if (!isRoot) context.skip('only root has such a directory')
  const closed = join(root, 'closed')
  await mkdir(closed, { mode: 0o700 })
  const first = await startEmbeddedServer({ dataDirectory: join(closed, 'data') })
  await query(first.connectionString, 'create table kept as select 42 as answer')
  await first.stop()

  const second = await startEmbeddedServer({ dataDirectory: join(closed, 'data') })
  const rows = await query(second.connectionString, 'select answer from kept')
  await second.stop()
  const place = realpathSync(join(closed, 'data/postgres'))
  const hasData = existsSync(join(place, 'data/PG_VERSION'))
  await rm(place, { recursive: true })
  // Other checkouts may keep their data there too.
  await rmdir('/var/lib/tokenledger').catch(() => {})

  expect(rows).toEqual([{ answer: 42 }])
  expect(place).toMatch(/^\/var\/lib\/tokenledger\/[0-9a-f]{16}$/)
  expect(hasData).toBe(true)
})

async function query(connectionString: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function startParent(behaviour: string, directory = dataDirectory) {
  const script = bundleScript('test/postgres/embedded-parent.ts')
  const parent = spawn(process.execPath, [script, directory, behaviour], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  parents.push(parent)
  const [line] = await once(createInterface(parent.stdout), 'line')
  return { process: parent, ...(JSON.parse(line) as { connectionString: string; isOwner: boolean }) }
}

function listServers(): { pid: number; command: string }[] {
  return listProcesses().filter(({ command }) => command.includes(`postgres -D ${root}/`))
}

function listProcesses(): { pid: number; command: string }[] {
  // Slim images come without ps, and macOS without /proc.
  if (existsSync('/proc/self')) {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    return pids.map((pid) => ({ pid: Number(pid), command: readCommandLine(Number(pid)).trim() }))
  }
  const rows = execFileSync('ps', ['-ww', '-eo', 'pid=,args='], { encoding: 'utf8' }).trim().split('\n')
  return rows.map((row) => ({ pid: Number.parseInt(row, 10), command: row.trim().replace(/^\d+ /, '') }))
}
