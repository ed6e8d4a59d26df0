import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../src/errors.js'
import { isLoopbackHost, parseDatabaseUrl } from '../../src/postgres/database-url.js'

describe('parseDatabaseUrl', () => {
  it('decodes every part', () => {
    const url = parseDatabaseUrl('postgresql://a%40nn:p%2Fw%25@db.example:6543/my%20usage?options=-c%20a%3Db')

    expect(url).toMatchObject({ host: 'db.example', port: 6543, user: 'a@nn', password: 'p/w%', database: 'my usage' })
    expect(url.parameters.get('options')).toBe('-c a=b')
  })

  it.each([
    ['postgres://ann:pw@/usage?host=/run/postgresql', '/run/postgresql'],
    ['postgres:///usage?host=/run/postgresql', '/run/postgresql'],
    ['postgres://%2Frun%2Fpostgresql/usage', '/run/postgresql'],
    ['postgres://[::1]:5432/usage', '::1'],
    ['postgres:///usage', undefined],
  ])('finds the host of %s', (text, host) => {
    expect(parseDatabaseUrl(text)).toMatchObject({ host, database: 'usage' })
  })

  it('takes a bare percent sign in a password as it stands', () => {
    expect(parseDatabaseUrl('postgres://ann:100%@db.example/usage').password).toBe('100%')
  })

  it.each([
    'postgres://ann:topsecret#1@db.example/usage',
    'postgres://ann:12/topsecret@db.example/usage',
    'postgres://ann:12#topsecret@db.example/usage',
    'postgres://ann:12?topsecret@db.example/usage',
    'postgres://ann:topsecret@db.example:port/usage',
    'postgres://ann:topsecret@db.example/usage?port=x',
    'mysql://ann:topsecret@db.example/usage',
    'topsecret',
  ])('refuses %s without repeating it', (text) => {
    let error: unknown
    try {
      parseDatabaseUrl(text)
    } catch (caught) {
      error = caught
    }

    expect(error).toBeInstanceOf(ConfigurationError)
    expect((error as Error).cause).toBeUndefined()
    expect((error as Error).message).not.toMatch(/topsecret|db\.example/)
  })
})

describe('isLoopbackHost', () => {
  it('knows the names and addresses that never leave this machine', () => {
    const hosts = [
      'localhost',
      '127.0.0.1',
      '127.9.8.7',
      '::1',
      '0.0.0.0',
      '127.0.0.1.evil.example',
      'localhost.evil',
      '',
    ]

    expect(hosts.filter(isLoopbackHost)).toEqual(['localhost', '127.0.0.1', '127.9.8.7', '::1'])
  })
})
