import { createRequire } from 'node:module'
import { ConfigurationError } from '../errors.js'
import type { WriteObserver } from './batch-writer.js'
import type { UsageLoggerState, UsageLoggerStats } from './usage-log.js'

/** The part of a `Registry` of prom-client that is used here: those of versions 14 and 15 are one. */
export interface MetricsRegistry {
  getSingleMetric(name: string): unknown
  registerMetric(metric: never): void
}

/** What metrics are made of. */
export interface MetricsSource {
  stats(): UsageLoggerStats
  observeWrites(observer: WriteObserver): void
}

type PromClient = Pick<typeof import('prom-client'), 'Counter' | 'Gauge' | 'Histogram'>
type Figure = (stats: UsageLoggerStats) => number

const requireFromHere = createRequire(import.meta.url)
const states: readonly UsageLoggerState[] = ['running', 'retrying', 'misconfigured', 'closed']
const firstMetric = 'tokenledger_rows_pending'

const gauges: readonly [string, string, Figure][] = [
  [firstMetric, 'Rows in memory that are not yet written.', ({ pending }) => pending],
  ['tokenledger_rows_spooled', 'Rows on disk only that are not yet written.', ({ spooled }) => spooled],
]
const counters: readonly [string, string, Figure][] = [
  ['tokenledger_rows_accepted_total', 'Rows that were logged or recovered.', ({ accepted }) => accepted],
  ['tokenledger_rows_written_total', 'Rows that the store has acknowledged.', ({ written }) => written],
  ['tokenledger_dead_letters_total', 'Rows kept as dead letters.', ({ deadLettered }) => deadLettered],
  ['tokenledger_write_retries_total', 'Writes that failed and are tried again.', ({ retries }) => retries],
]

/**
 * Adds the metrics of one logger to registries of prom-client, which is loaded by the first. None of them has a label
 * that names a user, a model or anything else of a call.
 */
export class UsageMetrics {
  readonly #source: MetricsSource
  readonly #registered = new WeakMap<MetricsRegistry, unknown>()

  constructor(source: MetricsSource) {
    this.#source = source
  }

  /**
   * The second time, for the same registry, without effect. Throws a `ConfigurationError` where prom-client is missing,
   * and where the registry has the metrics of another logger.
   */
  register(registry: MetricsRegistry): void {
    const found = findMetric(registry)
    if (found !== undefined && found === this.#registered.get(registry)) return
    if (found !== undefined) throw new ConfigurationError(taken)
    const parts = { client: loadPromClient(), registers: [registry as never], source: this.#source }
    addFigures(parts)
    addReasonsAndStates(parts)
    addWrites(parts)
    this.#registered.set(registry, registry.getSingleMetric(firstMetric))
  }
}

const taken =
  'this registry has the metrics of another usage logger already: give each logger a Registry of its own, and join them ' +
  'with Registry.merge() under different default labels'

function findMetric(registry: MetricsRegistry): unknown {
  if (typeof registry?.getSingleMetric === 'function') return registry.getSingleMetric(firstMetric)
  throw new ConfigurationError('metrics() takes a Registry of prom-client, such as its `register`')
}

function loadPromClient(): PromClient {
  try {
    return requireFromHere('prom-client')
  } catch (cause) {
    throw new ConfigurationError('metrics() needs the package prom-client: npm install prom-client', { cause })
  }
}

type Parts = { readonly client: PromClient; readonly registers: never[]; readonly source: MetricsSource }

function addFigures({ client, registers, source }: Parts): void {
  for (const [name, help, figure] of gauges) {
    new client.Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(figure(source.stats()))
      },
    })
  }
  for (const [name, help, figure] of counters) {
    new client.Counter({
      name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(figure(source.stats()))
      },
    })
  }
}

function addReasonsAndStates({ client, registers, source }: Parts): void {
  new client.Counter({
    name: 'tokenledger_rows_dropped_total',
    help: 'Rows that could not be kept, by reason.',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset()
      for (const [reason, count] of Object.entries(source.stats().droppedByReason)) this.inc({ reason }, count)
    },
  })
  new client.Gauge({
    name: 'tokenledger_state',
    help: 'The state of the usage logger: 1 for the one it is in, 0 for the others.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of states) this.set({ state }, state === source.stats().state ? 1 : 0)
    },
  })
}

function addWrites({ client, registers, source }: Parts): void {
  const duration = new client.Histogram({
    name: 'tokenledger_write_duration_seconds',
    help: 'How long a write took that the store has acknowledged.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })
  const rowsPerWrite = new client.Histogram({
    name: 'tokenledger_write_rows',
    help: 'Rows of a write that the store has acknowledged.',
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000],
    registers,
  })
  const lastSuccess = new client.Gauge({
    name: 'tokenledger_last_write_timestamp_seconds',
    help: 'When the store last acknowledged a write, in seconds since 1970; 0 before the first.',
    registers,
  })
  source.observeWrites(({ rows, durationMs }) => {
    duration.observe(durationMs / 1000)
    rowsPerWrite.observe(rows)
    lastSuccess.setToCurrentTime()
  })
}
