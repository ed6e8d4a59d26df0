import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SslEnvironment, SslMode } from '../../src/config.js'
import { ConfigurationError } from '../../src/errors.js'
import { parseDatabaseUrl } from '../../src/postgres/database-url.js'
import { decideSsl } from '../../src/postgres/ssl-mode.js'

const REMOTE = 'postgres://ann:secret@db.example:5432/usage'
const nothing: SslEnvironment = { isHeroku: false }
let directory: string
let authority: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tokenledger-ssl-'))
  authority = join(directory, 'authority.pem')
  writeFileSync(authority, 'the authority')
})

afterAll(() => rmSync(directory, { recursive: true }))

function decide(databaseUrl: string, more: { sslMode?: SslMode; environment?: Partial<SslEnvironment> } = {}) {
  const sslEnvironment = { ...nothing, ...more.environment }
  return decideSsl({ url: parseDatabaseUrl(databaseUrl), sslMode: more.sslMode, sslEnvironment })
}

describe('who decides', () => {
  it('takes the option before everything else', () => {
    const decision = decide(`${REMOTE}?sslmode=disable`, {
      sslMode: 'no-verify',
      environment: { mode: 'disable', isHeroku: true },
    })

    expect(decision).toMatchObject({ mode: 'no-verify', decidedBy: 'the option sslMode=no-verify' })
  })

  it('takes the URL before PGSSLMODE and the dyno', () => {
    const decision = decide(`${REMOTE}?sslmode=verify-full`, { environment: { mode: 'disable', isHeroku: true } })

    expect(decision).toMatchObject({ mode: 'verify-full', decidedBy: 'sslmode=verify-full in the database URL' })
  })

  it('takes PGSSLMODE before the dyno', () => {
    const decision = decide(REMOTE, { environment: { mode: 'verify-full', isHeroku: true } })

    expect(decision).toMatchObject({ mode: 'verify-full', decidedBy: 'PGSSLMODE=verify-full' })
  })

  it('encrypts without verification on a Heroku dyno', () => {
    const decision = decide(REMOTE, { environment: { isHeroku: true } })

    expect(decision).toMatchObject({ mode: 'no-verify', decidedBy: 'the Heroku dyno' })
    expect(decision.ssl).toMatchObject({ rejectUnauthorized: false })
  })

  it('encrypts nothing where nobody asks for it', () => {
    expect(decide(REMOTE)).toEqual({ mode: 'disable', decidedBy: 'the default', ssl: false })
  })

  it.each(['localhost', '127.0.0.1', '[::1]'])('leaves a connection to %s alone on a dyno', (host) => {
    expect(decide(`postgres://ann@${host}/usage`, { environment: { isHeroku: true } }).ssl).toBe(false)
  })

  it('never encrypts a Unix socket, which has no TLS', () => {
    const decision = decide('postgres://ann:secret@/usage?host=/run/postgresql&sslmode=require')

    expect(decision).toMatchObject({ mode: 'disable', decidedBy: 'a Unix socket', ssl: false })
  })

  it('verifies fully where only an authority is named', () => {
    const inUrl = decide(`${REMOTE}?sslrootcert=${authority}`)
    const inEnvironment = decide(REMOTE, { environment: { rootCertificate: authority, isHeroku: true } })

    expect(inUrl).toMatchObject({ mode: 'verify-full', ssl: { ca: 'the authority', rejectUnauthorized: true } })
    expect(inEnvironment).toMatchObject({ mode: 'verify-full', decidedBy: 'PGSSLROOTCERT' })
  })
})

describe('what a mode means', () => {
  it.each([
    ['sslmode=require', 'no-verify'],
    ['sslmode=no-verify', 'no-verify'],
    ['sslmode=verify-full', 'verify-full'],
    ['sslmode=disable', 'disable'],
    ['ssl=true', 'no-verify'],
    ['ssl=1', 'no-verify'],
    ['ssl=no-verify', 'no-verify'],
    ['ssl=false', 'disable'],
    ['ssl=0', 'disable'],
  ])('takes %s as %s', (parameter, mode) => {
    expect(decide(`${REMOTE}?${parameter}`).mode).toBe(mode)
  })

  it.each(['sslmode=require', 'ssl=true'])('takes %s as verify-ca where an authority is named', (parameter) => {
    expect(decide(`${REMOTE}?${parameter}`, { environment: { rootCertificate: authority } }).mode).toBe('verify-ca')
  })

  it.each(['allow', 'prefer'])('encrypts for %s unless the server is on this machine, and says so', (mode) => {
    const remote = decide(REMOTE, { environment: { mode } })
    const local = decide('postgres://ann@localhost/usage', { environment: { mode } })

    expect(remote).toMatchObject({ mode: 'no-verify', decidedBy: expect.stringContaining('can do only one') })
    expect(local).toMatchObject({ mode: 'disable', decidedBy: expect.stringContaining('can do only one') })
  })

  it('gives the server the client certificate that the URL names', () => {
    const decision = decide(`${REMOTE}?sslmode=require&sslcert=${authority}&sslkey=${authority}`)

    expect(decision.ssl).toMatchObject({ cert: 'the authority', key: 'the authority' })
  })
})

describe('what is refused', () => {
  it.each([
    ['sslmode=strict', 'sslmode=strict in the database URL'],
    ['ssl=maybe', 'ssl=maybe in the database URL'],
  ])('names an unknown %s, and never the URL', (parameter, named) => {
    const attempt = () => decide(`${REMOTE}?${parameter}`)

    expect(attempt).toThrow(ConfigurationError)
    expect(attempt).toThrow(named)
    expect(attempt).not.toThrow(/secret|db\.example/)
  })

  it('names an unknown PGSSLMODE', () => {
    expect(() => decide(REMOTE, { environment: { mode: 'on' } })).toThrow('PGSSLMODE=on is no way to encrypt')
  })

  it('refuses verify-ca without an authority', () => {
    expect(() => decide(`${REMOTE}?sslmode=verify-ca`)).toThrow(/needs the authority's certificate.*sslrootcert/)
  })

  it('names the file that cannot be read', () => {
    const attempt = () => decide(REMOTE, { environment: { rootCertificate: '/nowhere/ca.pem' } })

    expect(attempt).toThrow('PGSSLROOTCERT names a file that cannot be read (ENOENT): /nowhere/ca.pem')
  })
})
