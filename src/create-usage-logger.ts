import pino from 'pino'
import { createCapturingFetch } from './capture/capturing-fetch.js'
import { createLanguageModelMiddleware, type LanguageModelMiddleware } from './capture/language-model-middleware.js'
import { overBaseFetch } from './capture/over-base-fetch.js'
import { trackClient } from './capture/track-client.js'
import { type Config, type ConfigOptions, readConfig } from './config.js'
import { createUsageReports, type UsageReports } from './create-usage-reports.js'
import { ConfigurationError, ExportError } from './errors.js'
import {
  type AnyExpressRequest,
  createExpressMiddleware,
  type ExpressMiddleware,
  type ExpressRequest,
} from './middleware/express.js'
import { createIdentityReport, createIdentityResolver, type IdentityOptions } from './middleware/resolve-identity.js'
import { createTrpcMiddleware, type TrpcCall, type TrpcMiddleware } from './middleware/trpc.js'
import type { PasswordSource } from './postgres/ask-password.js'
import { createPool } from './postgres/pool.js'
import { PostgresUsageExporter, type UsagePool } from './postgres/usage-exporter.js'
import { BatchProcessor } from './recording/batch-processor.js'
import { createLineLimiter, createSafeDiagnostics, type DiagnosticLogger } from './recording/diagnostics.js'
import type { UsageExporter } from './recording/exporter.js'
import { PricingExporter } from './recording/pricing-exporter.js'
import { RecordPricing } from './recording/record-pricing.js'
import { RequestContexts, type RequestUsage } from './recording/request-context.js'
import { type ImageEntry, UsageLog, type UsageLoggerStats } from './recording/usage-log.js'
import { type MetricsRegistry, UsageMetrics } from './recording/usage-metrics.js'
import type { CallerIdentity } from './usage/draft-record.js'
import { loadTokenizer } from './usage/estimate-tokens.js'
import type { UsageEntry } from './usage/usage-record.js'

export type UsageLoggerOptions = ConfigOptions & {
  /** Where tokenledger writes its own messages: pino, `console`, anything of that shape. Lines of JSON on stderr by default. */
  readonly logger?: DiagnosticLogger | undefined
  /** What `usage.fetch` is built on (a proxy agent's fetch, say); the global `fetch` by default. */
  readonly fetch?: typeof fetch | undefined
  /**
   * Tells the password of the database user, instead of the one in `databaseUrl`: asked at each new connection, so that it
   * may change while the process runs. While it fails, or takes longer than four seconds, rows are kept and tried again.
   */
  readonly password?: PasswordSource | undefined
  /** A pool of yours instead of `databaseUrl`; one of its connections is used at a time, and it is never ended. */
  readonly pool?: UsagePool | undefined
  /** A store of yours instead of PostgreSQL. */
  readonly exporter?: UsageExporter | undefined
}

/** Every member is bound: `const { log } = usage` works. */
export interface UsageLogger {
  /** Express 4 and 5 middleware that says who is calling. Mount it before the routes; authentication may come after it. */
  express<Request extends ExpressRequest = AnyExpressRequest>(
    options?: IdentityOptions<Request>,
  ): ExpressMiddleware<Request>
  /** tRPC 11 middleware, for `t.procedure.use(...)`, that says who is calling. */
  trpc<Context>(options?: IdentityOptions<TrpcCall<Context>>): TrpcMiddleware<Context>
  /** Runs a job or a script with a request context of its own, and returns what `fn` returns. */
  run<T>(identity: CallerIdentity, fn: () => T): T
  /** The same client, all of whose calls are recorded. */
  track<Client extends object>(client: Client): Client
  /** A `fetch` that records the calls made through it, for any client that takes one. */
  readonly fetch: typeof fetch
  /**
   * Middleware that records the calls of a language model of the AI SDK (`ai`), for `wrapLanguageModel()`. A provider that
   * has `fetch` as well is recorded once.
   */
  aiSdk(): LanguageModelMiddleware
  /** Records one call. Synchronous; never throws, never waits. */
  log(entry: UsageEntry): void
  /** Another name for `log`. */
  trackUsage(entry: UsageEntry): void
  /** Records one image request: 1 input and 1 output token, `requestType: 'image'`. */
  logImage(entry: ImageEntry): void
  /** What the current request has used so far; zeros outside of any. */
  current(): RequestUsage
  /** Writes what is pending now. Resolves when that is done or a try has failed (see `stats()`); never rejects. */
  flush(): Promise<void>
  /**
   * Waits for the calls that still run, writes what is pending, and ends what tokenledger opened: all of it within
   * `timeoutMs`, 25,000 by default. Calls have four fifths of that to end; what still runs then, and a stream that nobody
   * has read on for five seconds, leaves its row as aborted. What cannot be written waits in the spool for the next start,
   * or is lost and counted where there is none. Never rejects. Call it when the process is told to end.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
  stats(): UsageLoggerStats
  /**
   * Adds metrics of this logger to a `Registry` of prom-client, which you install. Again, for the same registry, without
   * effect. Throws a `ConfigurationError` where prom-client is missing or the registry has those of another logger.
   */
  metrics(registry: MetricsRegistry): void
  /**
   * Reads what was recorded, on two connections of its own to the same database (of a `pool` of yours, two at a time): opened
   * when they are first asked, ended by `close()`. The same object at every call. Throws a `ConfigurationError` without a
   * database to read from.
   */
  reports(): UsageReports
}

const nothingUsed: RequestUsage = { calls: 0, inputTokens: 0, outputTokens: 0, totalTokens: 0, costUsd: null }

/**
 * Builds a usage logger from the environment and `options`, which win. Never throws and connects to nothing yet: what is
 * wrong with the settings is said in the log, and records are kept in memory until it is mended.
 */
export function createUsageLogger(options: UsageLoggerOptions = {}): UsageLogger {
  const config = readConfig(options)
  const diagnostics = options.logger
    ? createSafeDiagnostics(options.logger, 'tokenledger: ')
    : createSafeDiagnostics(createDefaultLogger())
  for (const problem of config.problems) diagnostics.error({}, problem)
  const logger = config.enabled ? createEnabledLogger(config, options, diagnostics) : createDisabledLogger(options)
  return withReports(logger, options)
}

// What was recorded can be read, whether or not anything is recorded now.
function withReports(logger: LoggerWithoutReports, options: UsageLoggerOptions): UsageLogger {
  let reports: UsageReports | undefined
  return {
    ...logger,
    reports: () => {
      reports ??= openReports(options)
      return reports
    },
    close: async (closing) => {
      await logger.close(closing)
      await reports?.close()
    },
  }
}

function openReports({ databaseUrl, sslMode, password, pool, exporter }: UsageLoggerOptions): UsageReports {
  if (exporter)
    throw new ConfigurationError('Records go to an exporter of yours; there is no database to read them from.')
  return createUsageReports({ databaseUrl, sslMode, password, pool })
}

type LoggerWithoutReports = Omit<UsageLogger, 'reports'>

function createEnabledLogger(
  config: Config,
  options: UsageLoggerOptions,
  diagnostics: DiagnosticLogger,
): LoggerWithoutReports {
  const { processor, prices } = createProcessor(config, options, diagnostics)
  const contexts = new RequestContexts((draft) => prices.costOf(draft))
  const usageLog = new UsageLog({ processor, contexts, diagnostics, settings: config })
  if (config.onAbort === 'estimate') void loadTokenizer()
  const metrics = new UsageMetrics(usageLog)
  const report = createIdentityReport(diagnostics, createLineLimiter())
  return {
    express: (identity = {}) => createExpressMiddleware(contexts, identity, report),
    trpc: (identity = {}) => createTrpcMiddleware(contexts, identity, report),
    run: (identity, fn) => contexts.run(contexts.create(createIdentityResolver(identity, undefined, report)), fn),
    track: (client) => trackClient(client, usageLog),
    fetch: overBaseFetch(options.fetch, (inner) => createCapturingFetch(usageLog, inner)),
    aiSdk: () => createLanguageModelMiddleware(usageLog),
    log: (entry) => usageLog.log(entry),
    trackUsage: (entry) => usageLog.log(entry),
    logImage: (entry) => usageLog.logImage(entry),
    current: () => contexts.current?.usage ?? nothingUsed,
    flush: () => usageLog.flush(),
    close: (closing) => usageLog.close(closing?.timeoutMs),
    stats: () => usageLog.stats(),
    metrics: (registry) => metrics.register(registry),
  }
}

function createDisabledLogger(options: UsageLoggerOptions): LoggerWithoutReports {
  const counts = {
    accepted: 0,
    recovered: 0,
    written: 0,
    pending: 0,
    spooled: 0,
    deadLettered: 0,
    dropped: 0,
    retries: 0,
  }
  return {
    express: () => (_request, _response, next) => next(),
    trpc:
      () =>
      ({ next }) =>
        next(),
    run: (_identity, fn) => fn(),
    track: (client) => client,
    fetch: overBaseFetch(options.fetch, (inner) => inner),
    aiSdk: () => ({
      specificationVersion: 'v3',
      wrapGenerate: async ({ doGenerate }) => doGenerate(),
      wrapStream: async ({ doStream }) => doStream(),
    }),
    log: () => {},
    trackUsage: () => {},
    logImage: () => {},
    current: () => nothingUsed,
    flush: async () => {},
    close: async () => {},
    stats: () => ({ state: 'disabled', ...counts, droppedByReason: {}, lastError: undefined }),
    metrics: () => {},
  }
}

function createProcessor(config: Config, options: UsageLoggerOptions, diagnostics: DiagnosticLogger) {
  const { spoolDir, maxSpoolMb, spoolFsync } = config
  const spool = spoolDir ? { directory: spoolDir, maxMb: maxSpoolMb, fsync: spoolFsync } : undefined
  const settings = { ...config, spool }
  try {
    const exporter = createExporter(config, options, diagnostics)
    const hasTable = exporter instanceof PostgresUsageExporter
    const prices = new RecordPricing(diagnostics, hasTable ? () => exporter.readPrices() : undefined)
    return { processor: new BatchProcessor(settings, new PricingExporter(exporter, prices), diagnostics), prices }
  } catch (error) {
    const reason = error instanceof ConfigurationError ? error.message : 'the database settings cannot be used'
    const misconfiguration = new ExportError('configuration', 'DATABASE_URL', reason)
    const processor = new BatchProcessor(settings, createRefusingExporter(misconfiguration), diagnostics)
    processor.reportMissingStore(misconfiguration)
    return { processor, prices: new RecordPricing(diagnostics) }
  }
}

function createExporter(config: Config, options: UsageLoggerOptions, diagnostics: DiagnosticLogger): UsageExporter {
  if (options.exporter) return options.exporter
  if (options.pool) return new PostgresUsageExporter(options.pool, 'borrowed', diagnostics)
  const { databaseUrl, sslMode, sslEnvironment } = config
  if (!databaseUrl) throw new ConfigurationError('no database is set; set DATABASE_URL and restart')
  const password = passwordOf(options.password, diagnostics)
  const pool = createPool(
    { databaseUrl, password, sslMode, sslEnvironment, maxConnections: 1, pipeline: true },
    diagnostics,
  )
  return new PostgresUsageExporter(pool, 'owned', diagnostics)
}

function passwordOf(value: unknown, diagnostics: DiagnosticLogger): PasswordSource | undefined {
  if (typeof value === 'function') return value as PasswordSource
  if (value !== undefined)
    diagnostics.error({}, 'password is no function; the password of the database URL is used instead')
  return undefined
}

function createRefusingExporter(reason: ExportError): UsageExporter {
  const refuse = () => Promise.reject(reason)
  return { name: 'PostgreSQL', export: refuse, exportDeadLetter: refuse, exportLoss: refuse, close: async () => {} }
}

function createDefaultLogger(): DiagnosticLogger {
  return pino({ name: 'tokenledger' }, pino.destination({ fd: 2, sync: true }))
}
