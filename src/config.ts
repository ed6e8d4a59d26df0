/** Settings of a logger that the application may give in code; each wins over its environment variable, if it has one. */
export type ConfigOptions = {
  /** `TOKEN_LOGGING_ENABLED`, false by default. Off: every call is a no-op. */
  readonly enabled?: boolean | undefined
  /** `DATABASE_URL`. PostgreSQL 14 or newer. */
  readonly databaseUrl?: string | undefined
  /** How the connection is encrypted; by default the URL, then `PGSSLMODE`, then the host decide. */
  readonly sslMode?: SslMode | undefined
  /** `TOKEN_LOG_BATCH_SIZE`: rows that trigger a write, 10 by default. */
  readonly batchSize?: number | undefined
  /** `TOKEN_LOG_MAX_BATCH_SIZE`: rows of one write at most, 5000 by default. */
  readonly maxBatchSize?: number | undefined
  /** `TOKEN_LOG_FLUSH_INTERVAL_MS`: milliseconds after which pending rows are written, 5000 by default. */
  readonly flushIntervalMs?: number | undefined
  /** `TOKEN_LOG_MAX_MEMORY_MB`: megabytes that pending rows may take, 32 by default. */
  readonly maxMemoryMb?: number | undefined
  /** `TOKEN_LOG_SPOOL_DIR`: a directory of a local disk where rows are kept until they are written; none by default. */
  readonly spoolDir?: string | undefined
  /** `TOKEN_LOG_MAX_SPOOL_MB`: megabytes that all files in that directory may take, 512 by default. */
  readonly maxSpoolMb?: number | undefined
  /**
   * `TOKEN_LOG_SPOOL_FSYNC`, false by default. On: files of the spool are on the disk itself about half a second after
   * they were written, so that a machine that loses its power keeps them too.
   */
  readonly spoolFsync?: boolean | undefined
  /** What becomes of the counts that a broken-off stream did not tell: estimated from its text (the default), or unknown. */
  readonly onAbort?: 'estimate' | 'unknown' | undefined
  /** Milliseconds after which a stream that nobody reads on is recorded as aborted, 600,000 by default. It stays open. */
  readonly streamTimeoutMs?: number | undefined
}

/** `no-verify` encrypts without checking who answers; `verify-ca` checks the certificate, `verify-full` its name too. */
export type SslMode = 'disable' | 'no-verify' | 'verify-ca' | 'verify-full'

/** What the environment says about encryption, besides the database URL itself. */
export type SslEnvironment = {
  /** `PGSSLMODE` as it stands. */
  readonly mode?: string
  /** `PGSSLROOTCERT`: path of a PEM file. */
  readonly rootCertificate?: string
  /** A Heroku dyno, whose databases present self-signed certificates. */
  readonly isHeroku: boolean
}

/** A logger's complete settings. `problems` are sentences about settings that were not usable, each with what is used instead. */
export type Config = Readonly<Required<Omit<ConfigOptions, OptionalSetting>> & Pick<ConfigOptions, OptionalSetting>> & {
  /** `LITELLM_DATABASE_URL`: where `tokenledger import` finds the table of LiteLLM; by default in `DATABASE_URL`. */
  readonly liteLlmDatabaseUrl?: string
  readonly sslEnvironment: SslEnvironment
  readonly problems: readonly string[]
}

/** Settings of the deployable app. */
export type ServerConfig = {
  /** `PORT`, 3000 by default. */
  readonly port: number
  /** `HOST`; by default all interfaces with an admin token and 127.0.0.1 without. */
  readonly host: string
  /** `TOKENLEDGER_ADMIN_TOKEN`. */
  readonly adminToken?: string
  /** `TOKENLEDGER_INGEST_TOKEN`. */
  readonly ingestToken?: string
  /** Whether `OPENAI_API_KEY` is set. */
  readonly hasOpenAIKey: boolean
  /** Whether `ANTHROPIC_API_KEY` is set. */
  readonly hasAnthropicKey: boolean
  /** `TOKEN_LOGGING_ENABLED`; the app records unless it says no. */
  readonly isLoggingEnabled: boolean
  /** `TOKEN_LOG_RETENTION_DAYS`: rows of before that many full days are pruned once a day; none by default. */
  readonly retentionDays?: number
  /** `TOKEN_LOG_RETENTION_KEEP_DAILY`: their daily sums stay; false by default. */
  readonly retentionKeepsDaily: boolean
  readonly problems: readonly string[]
}

type OptionalSetting = 'databaseUrl' | 'sslMode' | 'spoolDir'
type Environment = Readonly<Record<string, string | undefined>>
type NumberSetting = {
  readonly name: string
  readonly value: unknown
  readonly fallback: number
  readonly min?: number
  readonly max: number
}

/** Reads options and environment into one frozen Config. Never throws: what is unusable is named in `problems`. */
export function readConfig(options: ConfigOptions = {}, environment: Environment = process.env): Config {
  const problems: string[] = []
  const number = (option: keyof ConfigOptions, name: string, fallback: number, max: number) =>
    option in options && options[option] !== undefined
      ? wholeNumber({ name: option, value: options[option], fallback, max }, problems)
      : wholeNumber({ name, value: environment[name], fallback, max }, problems)

  const batchSize = number('batchSize', 'TOKEN_LOG_BATCH_SIZE', 10, 100_000)
  return Object.freeze({
    enabled:
      options.enabled === undefined
        ? switchValue('TOKEN_LOGGING_ENABLED', environment.TOKEN_LOGGING_ENABLED, problems)
        : switchValue('enabled', options.enabled, problems),
    databaseUrl: databaseUrlOf(options.databaseUrl, problems) ?? (environment.DATABASE_URL?.trim() || undefined),
    liteLlmDatabaseUrl: environment.LITELLM_DATABASE_URL?.trim() || undefined,
    sslMode: options.sslMode,
    sslEnvironment: readSslEnvironment(environment),
    batchSize,
    maxBatchSize: number('maxBatchSize', 'TOKEN_LOG_MAX_BATCH_SIZE', 5000, 100_000),
    flushIntervalMs: number('flushIntervalMs', 'TOKEN_LOG_FLUSH_INTERVAL_MS', 5000, 86_400_000),
    maxMemoryMb: number('maxMemoryMb', 'TOKEN_LOG_MAX_MEMORY_MB', 32, 65_536),
    spoolDir: spoolDirOf(options.spoolDir, problems) ?? (environment.TOKEN_LOG_SPOOL_DIR?.trim() || undefined),
    maxSpoolMb: number('maxSpoolMb', 'TOKEN_LOG_MAX_SPOOL_MB', 512, 1_048_576),
    spoolFsync:
      options.spoolFsync === undefined
        ? switchValue('TOKEN_LOG_SPOOL_FSYNC', environment.TOKEN_LOG_SPOOL_FSYNC, problems)
        : switchValue('spoolFsync', options.spoolFsync, problems),
    onAbort: onAbortOf(options.onAbort, problems),
    streamTimeoutMs: wholeNumber(
      { name: 'streamTimeoutMs', value: options.streamTimeoutMs, fallback: 600_000, max: 86_400_000 },
      problems,
    ),
    problems: Object.freeze(problems),
  })
}

/** What the environment says about encrypting the database connection. */
export function readSslEnvironment(environment: Environment = process.env): SslEnvironment {
  return {
    mode: environment.PGSSLMODE?.trim() || undefined,
    rootCertificate: environment.PGSSLROOTCERT?.trim() || undefined,
    isHeroku: Boolean(environment.DYNO),
  }
}

/** Reads the deployable app's settings. Never throws. */
export function readServerConfig(environment: Environment = process.env): ServerConfig {
  const problems: string[] = []
  const adminToken = environment.TOKENLEDGER_ADMIN_TOKEN?.trim() || undefined
  const port = wholeNumber({ name: 'PORT', value: environment.PORT, fallback: 3000, min: 0, max: 65_535 }, problems)
  const host = environment.HOST?.trim() || (adminToken ? '0.0.0.0' : '127.0.0.1')
  const ingestToken = environment.TOKENLEDGER_INGEST_TOKEN?.trim() || undefined
  const enabled = environment.TOKEN_LOGGING_ENABLED?.trim()
  const isLoggingEnabled = enabled ? switchValue('TOKEN_LOGGING_ENABLED', enabled, problems) : true
  const keepDaily = environment.TOKEN_LOG_RETENTION_KEEP_DAILY
  return Object.freeze({
    port,
    host,
    adminToken,
    ingestToken,
    hasOpenAIKey: Boolean(environment.OPENAI_API_KEY?.trim()),
    hasAnthropicKey: Boolean(environment.ANTHROPIC_API_KEY?.trim()),
    isLoggingEnabled,
    retentionDays: retentionDaysOf(environment.TOKEN_LOG_RETENTION_DAYS, problems),
    retentionKeepsDaily: switchValue('TOKEN_LOG_RETENTION_KEEP_DAILY', keepDaily, problems),
    problems: Object.freeze(problems),
  })
}

// What cannot be read prunes nothing: rows that went too early do not come back.
function retentionDaysOf(value: string | undefined, problems: string[]): number | undefined {
  const text = value?.trim()
  if (!text) return undefined
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= 36_500) return days
  problems.push(
    `TOKEN_LOG_RETENTION_DAYS is ${quote(value)}, which is not a whole number from 1 to 36500; nothing is pruned`,
  )
  return undefined
}

/** Adds the variables of a `.env` file in the working directory to the environment; those already set stay. */
export function loadDotEnv(path = '.env'): void {
  try {
    process.loadEnvFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function switchValue(name: string, value: unknown, problems: string[]): boolean {
  if (typeof value === 'boolean') return value
  const text = value === undefined ? '' : typeof value === 'string' ? value.trim().toLowerCase() : undefined
  if (text !== undefined && ['true', '1', 'yes', 'on'].includes(text)) return true
  if (text === undefined || !['', 'false', '0', 'no', 'off'].includes(text)) {
    problems.push(`${name} is ${quote(value)}, which is neither true nor false; false is used instead`)
  }
  return false
}

// The value is not named: it may hold a password, whatever else is wrong with it.
function databaseUrlOf(value: unknown, problems: string[]): string | undefined {
  if (typeof value === 'string') return value.trim() || undefined
  if (value !== undefined) problems.push('databaseUrl is not a text; DATABASE_URL is used instead')
  return undefined
}

function spoolDirOf(value: unknown, problems: string[]): string | undefined {
  if (typeof value === 'string') return value.trim() || undefined
  if (value !== undefined)
    problems.push(`spoolDir is ${quote(value)}, which is no path; TOKEN_LOG_SPOOL_DIR is used instead`)
  return undefined
}

function onAbortOf(value: unknown, problems: string[]): 'estimate' | 'unknown' {
  if (value === undefined || value === 'estimate' || value === 'unknown') return value ?? 'estimate'
  problems.push(`onAbort is ${quote(value)}, which is neither "estimate" nor "unknown"; "estimate" is used instead`)
  return 'estimate'
}

function wholeNumber({ name, value, fallback, min = 1, max }: NumberSetting, problems: string[]): number {
  if (value === undefined || (typeof value === 'string' && value.trim() === '')) return fallback
  const number = typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number
  problems.push(
    `${name} is ${quote(value)}, which is not a whole number from ${min} to ${max}; the default ${fallback} is used instead`,
  )
  return fallback
}

function quote(value: unknown): string {
  if (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol') {
    return value === null ? 'null' : `of type ${typeof value}`
  }
  const text = String(value)
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text)
}
