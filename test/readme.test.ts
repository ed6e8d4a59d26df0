import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readConfig, readServerConfig } from '../src/config.js'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const source = readFileSync(new URL('../src/config.ts', import.meta.url), 'utf8')
// Set by Heroku on its dynos, and by nobody else: not a setting.
const notSettings = ['DYNO']

/** The names and defaults of the table under Settings. */
const settings = (readme.split('\n## Settings\n')[1]?.split('\n## ')[0] ?? '').split('\n').flatMap((line) => {
  const [, names = '', fallback = ''] = line.split('|').map((cell) => cell.trim())
  return [...names.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => ({ name, fallback }))
})

describe('the table of settings in the README', () => {
  it('names the variables that are read, and no other', () => {
    const read = [...source.matchAll(/environment\.([A-Z_]+)|'(TOKEN_[A-Z_]+)'/g)].map(
      ([, member, quoted]) => member ?? quoted,
    )

    expect(settings.map(({ name }) => name).sort()).toEqual(
      [...new Set(read)].filter((name) => !notSettings.includes(name ?? '')).sort(),
    )
  })

  it('names the defaults that are used', () => {
    const config = readConfig({}, {})
    const used: Record<string, unknown> = {
      TOKEN_LOGGING_ENABLED: config.enabled,
      TOKEN_LOG_BATCH_SIZE: config.batchSize,
      TOKEN_LOG_MAX_BATCH_SIZE: config.maxBatchSize,
      TOKEN_LOG_FLUSH_INTERVAL_MS: config.flushIntervalMs,
      TOKEN_LOG_MAX_MEMORY_MB: config.maxMemoryMb,
      TOKEN_LOG_SPOOL_DIR: config.spoolDir ?? 'none',
      TOKEN_LOG_MAX_SPOOL_MB: config.maxSpoolMb,
      TOKEN_LOG_SPOOL_FSYNC: config.spoolFsync,
      DATABASE_URL: config.databaseUrl ?? 'none',
      LITELLM_DATABASE_URL: config.liteLlmDatabaseUrl ?? 'DATABASE_URL',
      PGSSLMODE: config.sslEnvironment.mode ?? 'none',
      PGSSLROOTCERT: config.sslEnvironment.rootCertificate ?? 'none',
      TOKEN_LOG_RETENTION_DAYS: readServerConfig({}).retentionDays ?? 'none',
      TOKEN_LOG_RETENTION_KEEP_DAILY: readServerConfig({}).retentionKeepsDaily,
      TOKENLEDGER_ADMIN_TOKEN: readServerConfig({}).adminToken ?? 'none',
      TOKENLEDGER_INGEST_TOKEN: readServerConfig({}).ingestToken ?? 'none',
      OPENAI_API_KEY: 'none',
      ANTHROPIC_API_KEY: 'none',
    }
    const defaults = Object.fromEntries(settings.map(({ name, fallback }) => [name, fallback.replaceAll('`', '')]))
    const { HOST, PORT, ...others } = defaults

    expect(others).toEqual(Object.fromEntries(Object.entries(used).map(([name, value]) => [name, String(value)])))
    expect(HOST).toBe(
      `${readServerConfig({ TOKENLEDGER_ADMIN_TOKEN: 't' }).host} with a token, else ${readServerConfig({}).host}; ${readServerConfig({}).port}`,
    )
    expect(PORT).toBe(HOST)
  })
})
