import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../src/errors.js'
import { type EmbeddedServer, startEmbeddedServer } from '../../src/postgres/embedded-server.js'
import { createPool, type PoolSettings } from '../../src/postgres/pool.js'
import { createSelfSignedCertificate } from '../support/self-signed-certificate.js'

type Line = { level: string; fields: object; message: string }

let directory: string
let server: EmbeddedServer
let authority: string
let otherAuthority: string
const pools: pg.Pool[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tokenledger-pool-'))
  // As root the server runs as somebody else, who has to get in.
  chmodSync(directory, 0o755)
  authority = join(directory, 'authority.pem')
  otherAuthority = join(directory, 'other-authority.pem')
  server = await startEmbeddedServer({ dataDirectory: directory, settings: { fsync: 'off' } })
  const certificate = createSelfSignedCertificate('localhost')
  writeFileSync(authority, certificate.certificate)
  writeFileSync(otherAuthority, createSelfSignedCertificate('localhost').certificate)
  await turnTlsOn(certificate)
})

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()))
})

afterAll(async () => {
  await server?.stop()
  rmSync(directory, { recursive: true })
})

describe('TLS', () => {
  const isEncrypted = async (pool: pg.Pool) => {
    const { rows } = await pool.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
    return rows[0].ssl
  }

  it('connects without TLS where nobody asks for it', async () => {
    expect(await isEncrypted(open(address('localhost')))).toBe(false)
  })

  it('passes a server whose certificate and name are right in verify-full', async () => {
    const pool = open(address('localhost', `sslmode=verify-full&sslrootcert=${authority}`))

    expect(await isEncrypted(pool)).toBe(true)
  })

  it.each(['verify-full', 'verify-ca', 'require'])('refuses a certificate of another authority in %s', async (mode) => {
    const pool = open(address('localhost', `sslmode=${mode}&sslrootcert=${otherAuthority}`))

    await expect(isEncrypted(pool)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  })

  it('refuses a self-signed certificate in verify-full without an authority', async () => {
    const pool = open(address('localhost', 'sslmode=verify-full'))

    await expect(isEncrypted(pool)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  })

  it('refuses another host name in verify-full', async () => {
    const pool = open(address('127.0.0.1', `sslmode=verify-full&sslrootcert=${authority}`))

    await expect(isEncrypted(pool)).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  })

  it.each(['verify-ca', 'require'])('passes another host name in %s with the right authority', async (mode) => {
    const pool = open(address('127.0.0.1', `sslmode=${mode}&sslrootcert=${authority}`))

    expect(await isEncrypted(pool)).toBe(true)
  })

  it('passes any certificate in no-verify, and says how to verify', async () => {
    const lines: Line[] = []

    const pool = open(address('127.0.0.1'), { sslMode: 'no-verify' }, lines)

    expect(await isEncrypted(pool)).toBe(true)
    expect(lines).toEqual([
      {
        level: 'warn',
        fields: { sslMode: 'no-verify' },
        message: expect.stringMatching(/sslmode=verify-full.*sslrootcert/),
      },
    ])
  })

  it('is not led astray by what the driver would read from the environment', async () => {
    const before = { mode: process.env.PGSSLMODE, negotiation: process.env.PGSSLNEGOTIATION }
    Object.assign(process.env, { PGSSLMODE: 'verify-full', PGSSLNEGOTIATION: 'direct' })
    try {
      expect(await isEncrypted(open(address('localhost')))).toBe(false)
    } finally {
      restore('PGSSLMODE', before.mode)
      restore('PGSSLNEGOTIATION', before.negotiation)
    }
  })
})

describe('a lost connection', () => {
  it('is replaced at the next query when it was idle', async () => {
    const lines: Line[] = []
    const pool = open(address('localhost'), {}, lines)
    const killer = open(address('localhost'))
    const { rows } = await pool.query('select pg_backend_pid() as pid')

    await killer.query('select pg_terminate_backend($1)', [rows[0].pid])
    await waitFor(() => pool.totalCount === 0)
    const after = await pool.query('select 1 as one')

    expect(after.rows).toEqual([{ one: 1 }])
    expect(lines.filter(({ level }) => level === 'warn')).toEqual([
      { level: 'warn', fields: { code: '57P01' }, message: expect.stringContaining('idle') },
    ])
  })

  it('is an error of the query, and of nothing else, when it was checked out', async () => {
    const pool = open(address('localhost'))
    const killer = open(address('localhost'))
    const client = await pool.connect()
    const { rows } = await client.query('select pg_backend_pid() as pid')
    const ended = new Promise((resolve) => client.once('end', resolve))

    await killer.query('select pg_terminate_backend($1)', [rows[0].pid])
    await ended
    const query = client.query('select 1')

    await expect(query).rejects.toThrow(/not queryable|terminated/)
    client.release(true)
  })

  it('leaves one listener on a client, however often it is checked out', async () => {
    const pool = open(address('localhost'))
    const listeners: number[] = []

    for (let round = 0; round < 3; round++) {
      const client = await pool.connect()
      listeners.push(client.listenerCount('error'))
      client.release()
    }

    expect(listeners).toEqual([1, 1, 1])
  })
})

describe('createPool', () => {
  it('opens no more connections than it may', async () => {
    const pool = open(address('localhost'), { maxConnections: 2 })

    await Promise.all(Array.from({ length: 8 }, () => pool.query('select pg_sleep(0.01)')))

    expect(pool.totalCount).toBe(2)
  })

  it('gives up a query that gets no answer in time', async () => {
    const pool = open(address('localhost'), { queryTimeoutMs: 50 })

    await expect(pool.query('select pg_sleep(5)')).rejects.toThrow('Query read timeout')
  })

  it('names itself to the server, unless the URL gives a name', async () => {
    const name = async (pool: pg.Pool) => (await pool.query('show application_name')).rows[0].application_name

    expect(await name(open(address('localhost')))).toBe('tokenledger')
    expect(await name(open(address('localhost', 'application_name=billing')))).toBe('billing')
  })

  it('holds the password where printing the pool does not show it', async () => {
    const { inspect } = await import('node:util')
    const pool = open(server.connectionString)
    await pool.query('select 1')

    const text = inspect(pool.options, { depth: 5 }) + JSON.stringify(pool.options)

    expect(text).not.toContain(new URL(server.connectionString).password)
  })

  it('refuses a URL it cannot read, before it connects', () => {
    const attempt = () => open('postgres://ann:topsecret#1@db.example/usage')

    expect(attempt).toThrow(ConfigurationError)
    expect(attempt).not.toThrow('topsecret')
  })
})

function address(host: string, parameters = ''): string {
  const url = new URL(server.connectionString)
  url.hostname = host
  url.search = parameters
  return url.href
}

function open(databaseUrl: string, settings: Partial<PoolSettings> = {}, lines: Line[] = []): pg.Pool {
  const note = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  const diagnostics = { info: note('info'), warn: note('warn'), error: note('error') }
  const defaults = { databaseUrl, sslEnvironment: { isHeroku: false }, maxConnections: 1 }
  const pool = createPool({ ...defaults, ...settings }, diagnostics)
  pools.push(pool)
  return pool
}

async function turnTlsOn({ certificate, key }: { certificate: string; key: string }): Promise<void> {
  const pool = open(server.connectionString)
  const { rows } = await pool.query('show data_directory')
  const data: string = rows[0].data_directory
  const { uid, gid } = statSync(data)
  for (const [name, text] of Object.entries({ 'server.crt': certificate, 'server.key': key })) {
    writeFileSync(join(data, name), text, { mode: 0o600 })
    // PostgreSQL takes a private key only from its own account.
    chownSync(join(data, name), uid, gid)
  }
  await pool.query('alter system set ssl = on')
  await pool.query('select pg_reload_conf()')
  await waitFor(async () => (await pool.query('show ssl')).rows[0].ssl === 'on')
  await pools.pop()?.end()
}

async function waitFor(isDone: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isDone())) await sleep(10)
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
