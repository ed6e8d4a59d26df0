import { describe, expect, it } from 'vitest'
import { type ConfigOptions, readConfig, readServerConfig, readSslEnvironment } from '../src/config.js'

/** Each number that may be set: its variable, its option, its default, and the largest it may be. */
const numbers: readonly [string, keyof ConfigOptions, number, number][] = [
  ['TOKEN_LOG_BATCH_SIZE', 'batchSize', 10, 100_000],
  ['TOKEN_LOG_MAX_BATCH_SIZE', 'maxBatchSize', 5000, 100_000],
  ['TOKEN_LOG_FLUSH_INTERVAL_MS', 'flushIntervalMs', 5000, 86_400_000],
  ['TOKEN_LOG_MAX_MEMORY_MB', 'maxMemoryMb', 32, 65_536],
  ['TOKEN_LOG_MAX_SPOOL_MB', 'maxSpoolMb', 512, 1_048_576],
]
const notWholeNumbers = ['ten', '-1', '0', '1.5', '1e3', '0x10', '+5', '5 rows', 'NaN', 'Infinity', '9'.repeat(400)]

describe('the settings', () => {
  it('are the defaults, and frozen, where nothing is set', () => {
    const config = readConfig({}, {})

    expect(config).toMatchObject({ enabled: false, batchSize: 10, maxBatchSize: 5000, flushIntervalMs: 5000 })
    expect(config).toMatchObject({ maxMemoryMb: 32, problems: [], sslEnvironment: { isHeroku: false } })
    expect([config.databaseUrl, config.sslMode, config.spoolDir]).toEqual([undefined, undefined, undefined])
    expect(Object.isFrozen(config)).toBe(true)
  })

  it.each(numbers)('%s is read from the environment, with space around it or without', (variable, option) => {
    const values = ['7', ' 7\t', '007'].map((text) => readConfig({}, { [variable]: text })[option])

    expect(values).toEqual([7, 7, 7])
  })

  it.each(numbers)('%s that is blank is not set', (variable, option, fallback) => {
    const [empty, blank] = ['', '  '].map((text) => readConfig({}, { [variable]: text }))

    expect([empty?.[option], blank?.[option]]).toEqual([fallback, fallback])
    expect([empty?.problems, blank?.problems]).toEqual([[], []])
  })

  it.each(numbers)(
    '%s that is no whole number is one problem, and the default is used',
    (variable, option, fallback, max) => {
      for (const text of [...notWholeNumbers, String(max + 1)]) {
        const config = readConfig({}, { [variable]: text })

        expect(config[option]).toBe(fallback)
        expect(config.problems).toHaveLength(1)
        expect(config.problems[0]).toMatch(
          new RegExp(
            `^${variable} is ".*", which is not a whole number from 1 to ${max}; the default ${fallback} is used instead$`,
          ),
        )
        expect(config.problems[0]?.length).toBeLessThan(200)
      }
    },
  )

  it('take the directory of the spool from the option, then the environment, and one that is no text from there too', () => {
    const environment = { TOKEN_LOG_SPOOL_DIR: ' /var/spool/usage ' }

    const configs = [{ spoolDir: 'here' }, {}, { spoolDir: 7 }].map((options) =>
      readConfig(options as ConfigOptions, environment),
    )

    expect(configs.map(({ spoolDir }) => spoolDir)).toEqual(['here', '/var/spool/usage', '/var/spool/usage'])
    expect(configs.map(({ problems }) => problems.length)).toEqual([0, 0, 1])
    expect(readConfig({}, { TOKEN_LOG_SPOOL_DIR: ' ' }).spoolDir).toBeUndefined()
  })

  it.each(numbers)('%s gives way to the option %s', (variable, option, _, max) => {
    const config = readConfig({ [option]: max }, { [variable]: '7' })
    const unset = readConfig({ [option]: undefined }, { [variable]: '7' })

    expect([config[option], unset[option]]).toEqual([max, 7])
    expect(config.problems).toEqual([])
  })

  it.each(numbers)('%s: a bad value of its option %s is one problem, whatever it is', (_, option, fallback) => {
    const odd = {
      toString: () => {
        throw new Error('no')
      },
    }
    for (const value of [-1, 0, 1.5, Number.NaN, 2 ** 53, 'ten', null, {}, odd, Symbol('s'), () => 1, true, 7n]) {
      const config = readConfig({ [option]: value as never }, {})

      expect(config[option]).toBe(fallback)
      expect(config.problems).toHaveLength(1)
      expect(config.problems[0]).toMatch(new RegExp(`^${option} is `))
    }
  })

  it.each([
    [true, ['true', 'TRUE', ' true ', '1', 'yes', 'on']],
    [false, ['false', 'False', '0', 'no', 'off', '', ' ']],
  ])('TOKEN_LOGGING_ENABLED is %s for %j', (enabled, texts) => {
    for (const text of texts) {
      expect(readConfig({}, { TOKEN_LOGGING_ENABLED: text })).toMatchObject({ enabled, problems: [] })
    }
  })

  it('is off, and says so, where it is neither on nor off', () => {
    const byVariable = readConfig({}, { TOKEN_LOGGING_ENABLED: 'maybe' })
    const byOption = readConfig({ enabled: {} as never }, { TOKEN_LOGGING_ENABLED: 'true' })

    expect(byVariable.enabled).toBe(false)
    expect(byVariable.problems).toEqual([
      'TOKEN_LOGGING_ENABLED is "maybe", which is neither true nor false; false is used instead',
    ])
    expect(byOption.enabled).toBe(false)
    expect(byOption.problems).toEqual([
      'enabled is of type object, which is neither true nor false; false is used instead',
    ])
  })

  it('lets the option switch it on or off, in words as well', () => {
    const on = readConfig({ enabled: true }, { TOKEN_LOGGING_ENABLED: 'false' })
    const off = readConfig({ enabled: 'false' as never }, { TOKEN_LOGGING_ENABLED: 'true' })

    expect([on.enabled, off.enabled]).toEqual([true, false])
  })

  it('takes the database URL of the option, else of the environment, and never names it', () => {
    const url = 'postgres://ann:secret@db/app'

    expect(readConfig({ databaseUrl: url }, { DATABASE_URL: 'other' }).databaseUrl).toBe(url)
    expect(readConfig({ databaseUrl: ' ' }, { DATABASE_URL: ` ${url}\n` }).databaseUrl).toBe(url)
    expect(readConfig({}, { DATABASE_URL: '  ' }).databaseUrl).toBeUndefined()
    const wrong = readConfig({ databaseUrl: new URL(url) as never }, { DATABASE_URL: url })
    expect(wrong.databaseUrl).toBe(url)
    expect(wrong.problems).toEqual(['databaseUrl is not a text; DATABASE_URL is used instead'])
  })

  it('says every problem at once, each in one line', () => {
    const { problems } = readConfig({ maxMemoryMb: -1 }, { TOKEN_LOG_BATCH_SIZE: 'a\nb', TOKEN_LOGGING_ENABLED: 'x' })

    expect(problems).toHaveLength(3)
    expect(problems.join('')).not.toContain('\n')
  })

  it('takes what the environment says of encryption as it stands', () => {
    const environment = { PGSSLMODE: ' require ', PGSSLROOTCERT: '/ca.pem', DYNO: 'web.1' }

    expect(readSslEnvironment(environment)).toEqual({ mode: 'require', rootCertificate: '/ca.pem', isHeroku: true })
    expect(readSslEnvironment({ PGSSLMODE: ' ', PGSSLROOTCERT: '' })).toMatchObject({ isHeroku: false })
  })
})

describe('the settings of the web process', () => {
  it('listen on this machine only, unless there is a token', () => {
    const open = readServerConfig({ TOKENLEDGER_ADMIN_TOKEN: ' t ' })
    const closed = readServerConfig({ TOKENLEDGER_ADMIN_TOKEN: '  ' })

    expect(open).toMatchObject({ host: '0.0.0.0', port: 3000, adminToken: 't', problems: [] })
    expect(closed).toMatchObject({ host: '127.0.0.1', port: 3000, adminToken: undefined, problems: [] })
  })

  it('take the host and the port of the environment', () => {
    const config = readServerConfig({ HOST: ' ::1 ', PORT: '0' })

    expect(config).toMatchObject({ host: '::1', port: 0, problems: [] })
  })

  it.each(['65536', '-1', 'web', '80.5'])('use port 3000 for %s, and say so', (text) => {
    const { port, problems } = readServerConfig({ PORT: text })

    expect(port).toBe(3000)
    expect(problems).toEqual([
      `PORT is "${text}", which is not a whole number from 0 to 65535; the default 3000 is used instead`,
    ])
  })
})

describe('the retention of the web process', () => {
  it.each([
    ['90', 90],
    [' 007 ', 7],
    ['', undefined],
    [undefined, undefined],
  ])('of %j is %j days', (text, days) => {
    const config = readServerConfig({ TOKEN_LOG_RETENTION_DAYS: text })

    expect(config).toMatchObject({ retentionDays: days, retentionKeepsDaily: false, problems: [] })
  })

  it.each(['0', '-1', '90d', '1.5', '1e2', '36501', 'never'])('of %j prunes nothing, and that is said', (text) => {
    const { retentionDays, problems } = readServerConfig({ TOKEN_LOG_RETENTION_DAYS: text })

    expect(retentionDays).toBeUndefined()
    expect(problems).toEqual([expect.stringMatching(/^TOKEN_LOG_RETENTION_DAYS is ".*nothing is pruned$/)])
  })
})
