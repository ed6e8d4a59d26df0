import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect } from 'vitest'
import type { TestDatabase } from '../../support/test-database.js'
import { backendPids, terminateConnections } from '../database-activity.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'
import type { Worker } from '../fleet.js'
import { OwnServer, type ServerEnd } from '../own-server.js'
import { peakMb, type Rig, recovery, seconds, until, withRig } from '../rig.js'

/** Faults of the database itself. */
export const databaseCases: readonly FaultCase[] = [
  {
    id: 'D1',
    title: 'the server is restarted (fast, immediate), and a backend or the whole server is killed',
    run: (context) => withOwnServer(context, restart),
    isShort: true,
  },
  {
    id: 'D2',
    mostlyWaits: true,
    title: 'the server is down for 90 s at 100 rows/s: it is asked ever less often, and all is written',
    run: (context) => withRig(context, (rig) => awayForAWhile(rig, context)),
  },
  {
    id: 'D2h',
    title: 'the server is down for 4 hours at 100 rows/s (simulated clock, real bytes): 512 MB of spool hold them',
    run: (context) => withRig(context, (rig) => awayForHours(rig, context)),
  },
  {
    id: 'D3',
    mostlyWaits: true,
    title: 'the server is down when the process starts',
    run: (context) => withRig(context, awayAtTheStart),
  },
  {
    id: 'D4',
    mostlyWaits: true,
    title: 'somebody holds an access exclusive lock for 30 s',
    run: (context) => withRig(context, (rig) => locked(rig, context)),
  },
  {
    id: 'D5',
    title: 'four write the same 20,000 rows in orders of their own, and somebody provokes deadlocks',
    run: (context) => withRig(context, (rig) => deadlocks(rig, context)),
  },
  {
    id: 'D6',
    mostlyWaits: true,
    title: 'the role has no connection left for 20 s; one is all that is asked for',
    run: (context) => withRole(context, noConnectionLeft),
  },
  {
    id: 'D7',
    mostlyWaits: true,
    title:
      'the password is changed and all connections are ended; the old one is not tried more often than each minute',
    run: (context) => withRole(context, passwordChanged),
  },
  {
    id: 'D8',
    title: 'the disk of the database is full',
    missing: () =>
      spawnSync('unshare', ['-m', 'true']).status === 0 ? undefined : 'only root can mount a file system',
    run: (context) => withOwnServer(context, (rig, server) => diskFull(rig, server, context)),
  },
  {
    id: 'D9',
    mostlyWaits: true,
    title: 'the database is read-only for 20 s',
    run: (context) => withRig(context, (rig) => readOnly(rig, context)),
  },
  {
    id: 'D10',
    mostlyWaits: true,
    title: 'a column is missing, then the table, until they are there; a line a minute says so',
    run: (context) => withRig(context, (rig) => notMigrated(rig, context)),
  },
]

async function withOwnServer(
  { temporaryDirectory, log }: FaultContext,
  work: (rig: Rig, server: OwnServer) => Promise<string>,
): Promise<FaultResult> {
  const directory = join(temporaryDirectory, 'server')
  mkdirSync(directory)
  execFileSync('chmod', ['755', temporaryDirectory])
  const server = await OwnServer.start(directory)
  try {
    return await withRig({ database: server, log }, (rig) => work(rig, server))
  } finally {
    await server.stop()
  }
}

async function restart({ proxy, start }: Rig, server: OwnServer): Promise<string> {
  const worker = await start()
  const recovered: string[] = []
  const afterwards = async (what: string) => {
    proxy.moveTo(server.connectionString)
    recovered.push(`${what} ${seconds(await recovery(worker, 40_000))}`)
  }
  for (const how of ['fast', 'immediate', 'killed'] as const satisfies ServerEnd[]) {
    await server.restart(how)
    await afterwards(how)
  }
  await until(async () => (await backendPids(server)).length > 0, 40_000)
  for (const pid of await backendPids(server)) process.kill(pid, 'SIGKILL')
  await afterwards('a backend killed')
  return `recovered after ${recovered.join(', ')}`
}

async function awayForAWhile({ proxy, start }: Rig, { temporaryDirectory }: FaultContext): Promise<string> {
  const worker = await start({ rowsPerSecond: 100, options: { spoolDir: join(temporaryDirectory, 'spool') } })
  await until(async () => (await worker.ask()).written > 0, 60_000)
  proxy.refuse()
  await sleep(90_000)
  const { retries, pending } = await worker.ask()
  await proxy.accept()
  const recovered = await recovery(worker, 60_000)
  expect(retries).toBeLessThan(30)
  return `${retries} tries; ${pending} rows waited and were written ${seconds(recovered)} after it was up`
}

async function awayForHours({ proxy, start }: Rig, { temporaryDirectory, log }: FaultContext): Promise<string> {
  const rows = 4 * 3600 * 100
  const spoolDir = join(temporaryDirectory, 'spool')
  proxy.refuse()
  // The ids of all rows, which the worker keeps to announce them, are most of it.
  const command = ['env', 'NODE_OPTIONS=--max-old-space-size=250 --max-semi-space-size=1']
  const worker = await start({ command, does: 'fill', rows, stepMs: 10, options: { spoolDir } })
  await until(() => worker.stats.length > 0, 600_000)
  const sizes = readdirSync(spoolDir).map((name) => statSync(join(spoolDir, name)).size)
  const megabytes = sizes.reduce((sum, size) => sum + size, 0) / 1024 / 1024
  const memoryMb = peakMb(worker)
  log(`${megabytes.toFixed(0)} MB in the spool, ${memoryMb.toFixed(0)} MB of memory`)
  expect(await worker.ask()).toMatchObject({ accepted: rows, dropped: 0, written: 0 })
  expect(megabytes).toBeLessThanOrEqual(512)

  await proxy.accept()
  await until(async () => (await worker.ask()).written > 0, 60_000)
  const took = await until(async () => (await worker.ask()).written === rows, 900_000)
  expect(rows / took).toBeGreaterThan(1000)
  const rate = `${Math.round(rows / took)} rows/s written`
  return `${megabytes.toFixed(0)} MB in the spool, ${memoryMb.toFixed(0)} MB of memory at most, ${rate}`
}

async function awayAtTheStart({ proxy, start }: Rig): Promise<string> {
  proxy.refuse()
  const worker = await start()
  await sleep(5000)
  const { pending, retries } = await worker.ask()
  await proxy.accept()
  return `${pending} rows waited, ${retries} tries; written ${seconds(await recovery(worker, 40_000))} after it was up`
}

async function locked({ start }: Rig, { database }: FaultContext): Promise<string> {
  const worker = await start()
  await until(async () => (await worker.ask()).written > 0, 60_000)
  const client = await database.pool.connect()
  await client.query('begin; lock table token_usage_logs in access exclusive mode')
  await sleep(30_000)
  const { lastError, retries } = await worker.ask()
  await client.query('rollback')
  client.release()
  expect(['55P03', '57014']).toContain(lastError?.reason)
  return `${retries} failed writes (${lastError?.reason}); recovered in ${seconds(await recovery(worker, 40_000))}`
}

async function deadlocks({ start }: Rig, { database }: FaultContext): Promise<string> {
  const settings = { does: 'replay', rows: 20_000, options: { batchSize: 200 } } as const
  const starting = Promise.all(Array.from({ length: 4 }, () => start(settings)))
  let isOver = false
  const provoking = provokeDeadlocks(database, () => isOver)
  const workers = await starting
  const isWritten = async (worker: Worker) => (await worker.ask()).written === 20_000
  await until(async () => (await Promise.all(workers.map(isWritten))).every(Boolean), 120_000)
  isOver = true
  await provoking
  const [counts] = await database.query(
    'select deadlocks::int from pg_stat_database where datname = current_database()',
  )
  const stats = await Promise.all(workers.map((worker) => worker.ask()))
  const retries = stats.reduce((sum, worker) => sum + worker.retries, 0)
  const [stored] = await database.query('select count(*)::int as rows from token_usage_logs')
  expect(stored).toEqual({ rows: 20_000 })
  return `${counts?.deadlocks} deadlocks, ${retries} of them met the four and were tried again`
}

/** Locks rows of the daily sums against the order in which everybody else does. */
export async function provokeDeadlocks(database: Pick<TestDatabase, 'pool'>, isOver: () => boolean): Promise<void> {
  const client = await database.pool.connect()
  const touch = (user: number) =>
    client.query(`update token_usage_daily set requests = requests where user_email = 'user${user}@example.com'`)
  for (; !isOver(); await sleep(20)) {
    try {
      await client.query('begin')
      for (const user of [6, 4, 2, 0]) {
        await touch(user)
        await sleep(20)
      }
      await client.query('commit')
    } catch {
      await client.query('rollback')
    }
  }
  client.release()
}

type Role = { readonly name: string; readonly url: string }

/** Does `work` with a role that is no superuser and may write everything. */
async function withRole(
  context: FaultContext,
  work: (rig: Rig, role: Role, context: FaultContext) => Promise<string>,
): Promise<FaultResult> {
  const { database, random } = context
  const name = `tokenledger_${random.id(8)}`
  const url = new URL(database.connectionString)
  url.username = name
  url.password = 'first'
  await database.query(`create role ${name} login password 'first'`)
  for (const kind of ['tables', 'sequences', 'functions']) {
    await database.query(`grant all on all ${kind} in schema public to ${name}`)
  }
  try {
    return await withRig(context, (rig) => work(rig, { name, url: url.href }, context), { databaseUrl: url.href })
  } finally {
    await database.query(`drop owned by ${name}; drop role ${name}`)
  }
}

async function noConnectionLeft(
  { proxy, start }: Rig,
  { name, url }: Role,
  { database }: FaultContext,
): Promise<string> {
  await database.query(`alter role ${name} connection limit 3`)
  const worker = await start()
  await until(async () => (await worker.ask()).written > 0, 60_000)
  const others = await takeAllConnections(database, url, 3)
  await sleep(20_000)
  const { lastError, retries } = await worker.ask()
  for (const client of others) await client.end()
  const recovered = await recovery(worker, 60_000)
  expect(lastError?.reason).toBe('53300')
  expect(proxy.mostOpen).toBe(1)
  return `${retries} failed writes (53300), one connection; recovered in ${seconds(recovered)}`
}

/** Connections that the application holds, so many as there may be: the worker loses its own until it comes too late. */
async function takeAllConnections(
  database: FaultContext['database'],
  url: string,
  count: number,
): Promise<pg.Client[]> {
  const clients: pg.Client[] = []
  await until(async () => {
    await terminateConnections(database)
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    await client.connect().then(
      () => clients.push(client),
      () => {},
    )
    return clients.length === count
  }, 30_000)
  return clients
}

async function passwordChanged({ proxy, start }: Rig, { name, url }: Role, context: FaultContext): Promise<string> {
  const { database, temporaryDirectory } = context
  const passwordFile = join(temporaryDirectory, 'password')
  writeFileSync(passwordFile, 'first')
  const worker = await start({ ownPool: { databaseUrl: proxy.through(url), passwordFile } })
  await until(async () => (await worker.ask()).written > 0, 60_000)
  await database.query(`alter role ${name} password 'second'`)
  await terminateConnections(database)
  await until(async () => (await worker.ask()).lastError?.reason === '28P01', 60_000)
  const before = proxy.connections
  await sleep(50_000)
  const tries = proxy.connections - before
  writeFileSync(passwordFile, 'second')
  const recovered = await recovery(worker, 90_000)
  expect(tries).toBeLessThanOrEqual(1)
  return `${tries} tries in 50 s after the first; recovered ${seconds(recovered)} after the new one was known`
}

async function diskFull({ start }: Rig, server: OwnServer, { temporaryDirectory }: FaultContext): Promise<string> {
  const disk = join(temporaryDirectory, 'disk')
  mkdirSync(disk)
  const { uid, gid } = statSync(join(temporaryDirectory, 'server/postgres/data'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=8m,uid=${uid},gid=${gid},mode=700`, 'tokenledger', disk])
  try {
    await server.query(`create tablespace small location '${disk}'`)
    await server.query('alter table token_usage_logs set tablespace small')
    await server.query('create table ballast (bytes text) tablespace small')
    const worker = await start()
    await until(async () => (await worker.ask()).written > 0, 60_000)
    const fits = () => false
    const add = `insert into ballast
      select string_agg(md5(random()::text), '') from generate_series(1, 60), generate_series(1, 50) as row group by row`
    await until(() => server.query(add).then(fits, () => true), 60_000)
    await until(async () => (await worker.ask()).lastError?.reason === '53100', 30_000)
    await sleep(5000)
    const { retries } = await worker.ask()
    await server.query('drop table ballast')
    const recovered = await recovery(worker, 60_000)
    await server.query('alter table token_usage_logs set tablespace pg_default')
    await server.query('drop tablespace small')
    return `${retries} failed writes (53100); recovered in ${seconds(recovered)}`
  } finally {
    execFileSync('umount', ['-l', disk])
  }
}

async function readOnly({ start }: Rig, { database }: FaultContext): Promise<string> {
  const worker = await start()
  await until(async () => (await worker.ask()).written > 0, 60_000)
  const name = new URL(database.connectionString).pathname.slice(1)
  await database.query(`alter database ${name} set default_transaction_read_only = on`)
  await terminateConnections(database)
  await sleep(20_000)
  const { lastError, retries } = await worker.ask()
  await database.query(`begin read write; alter database ${name} reset default_transaction_read_only; commit`)
  const recovered = await recovery(worker, 60_000)
  expect(lastError?.reason).toBe('25006')
  return `${retries} failed writes (25006); recovered in ${seconds(recovered)}`
}

async function notMigrated({ start }: Rig, { database }: FaultContext): Promise<string> {
  const worker = await start()
  await until(async () => (await worker.ask()).written > 0, 60_000)
  const startedAt = performance.now()
  const meets = (code: string) => until(async () => (await worker.ask()).lastError?.reason === code, 70_000)
  await database.query('alter table token_usage_logs rename column status to state')
  await meets('42703')
  await database.query('alter table token_usage_logs rename column state to status')
  await database.query('alter table token_usage_logs rename to elsewhere')
  await meets('42P01')
  await database.query('alter table elsewhere rename to token_usage_logs')
  const recovered = await recovery(worker, 70_000)
  const lines = worker
    .stderr()
    .split('\n')
    .filter((line) => line.includes('takes no usage rows'))
  const { retries } = await worker.ask()
  const minutes = (performance.now() - startedAt) / 60_000
  expect(retries).toBeLessThanOrEqual(1 + Math.ceil(minutes))
  expect(lines.length).toBeLessThanOrEqual(1 + Math.ceil(minutes))
  return `${retries} tries and ${lines.length} lines in ${minutes.toFixed(1)} minutes; recovered in ${seconds(recovered)}`
}
