import { setTimeout as sleep } from 'node:timers/promises'
import { ExportError } from '../errors.js'
import type { PriceSource } from '../pricing/price-source.js'
import type { DiagnosticLogger } from '../recording/diagnostics.js'
import type { UsageExporter, UsageLoss } from '../recording/exporter.js'
import type { UsageRecord } from '../usage/usage-record.js'
import { ClockWatch } from './clock-watch.js'
import { toExportError } from './error-kind.js'
import { insertRecords } from './insert-records.js'
import { readOwnPrices } from './price-table.js'

// The client gives up later than the server, so that a write is normally cancelled there and known to be.
const lockTimeoutMs = 5000
const statementTimeoutMs = 10_000
const clientTimeoutMs = 15_000
const connectTimeoutMs = 10_000
// A client that falls silent between two statements holds the locks of the daily sums: everybody else waits for it.
const idleTimeoutMs = 10_000
// At a stricter level, which a database may have by default, what was erased meanwhile would not be seen.
const begin =
  `begin isolation level read committed; set local statement_timeout = ${statementTimeoutMs}; set local lock_timeout = ${lockTimeoutMs}; ` +
  `set local idle_in_transaction_session_timeout = ${idleTimeoutMs}`
const commit: Statement = { text: 'commit' }
// A batch waits for the prices, which it can do without.
const beginReading = 'begin; set local statement_timeout = 1500; set local lock_timeout = 500'

const insertDeadLetter = `insert into token_usage_dead_letters (event_id, code, reason, record)
values ($1, $2, $3, $4)
on conflict (event_id) do nothing`

const insertLoss = `insert into token_usage_losses (id, reason, records, input_tokens, output_tokens, first_at, last_at)
values ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), to_timestamp($7::float8 / 1000))
on conflict (id) do nothing`

/** The part of a `pg.Pool` that is used here: any pool of the `pg` package, of any version's types, is one. */
export interface UsagePool {
  connect(): Promise<UsageClient>
  end(): Promise<void>
  on(event: 'error', listener: () => void): unknown
  off(event: 'error', listener: () => void): unknown
}

/** The part of a `pg.PoolClient` that is used here. */
export interface UsageClient {
  /** Whether it sends a query without waiting for the answer to the one before. */
  readonly pipeline?: boolean
  query(query: { readonly text: string; readonly values?: unknown[] }): Promise<{ readonly rows: unknown[] }>
  release(destroy?: boolean): void
  on(event: 'error', listener: () => void): unknown
  off(event: 'error', listener: () => void): unknown
}

/**
 * Writes usage records to PostgreSQL: each batch is one transaction on one connection, with nothing that a
 * transaction-mode pgbouncer would not carry. A pool that was handed in is left open by `close()`. With `diagnostics` it
 * warns of a clock that is wrong.
 */
export class PostgresUsageExporter implements UsageExporter {
  readonly name = 'PostgreSQL'
  readonly #pool: UsagePool
  readonly #ownership: 'owned' | 'borrowed'
  readonly #clients = new Set<UsageClient>()
  readonly #clock: ClockWatch | undefined
  #closing: Promise<void> | undefined

  constructor(pool: UsagePool, ownership: 'owned' | 'borrowed', diagnostics?: DiagnosticLogger) {
    this.#pool = pool
    this.#ownership = ownership
    this.#clock = diagnostics && new ClockWatch(diagnostics)
    // An idle connection may be lost at any time, and a pool to which nobody listens then ends the process.
    pool.on('error', ignore)
  }

  async export(records: readonly UsageRecord[]): Promise<void> {
    await this.#write(insertRecords(records))
  }

  async exportDeadLetter(
    record: UsageRecord,
    reason: { readonly code: string; readonly message: string },
  ): Promise<void> {
    await this.#write({
      text: insertDeadLetter,
      values: [record.eventId, reason.code, reason.message, JSON.stringify(record)],
    })
  }

  async exportLoss({ id, reason, records, inputTokens, outputTokens, firstAt, lastAt }: UsageLoss): Promise<void> {
    await this.#write({ text: insertLoss, values: [id, reason, records, inputTokens, outputTokens, firstAt, lastAt] })
  }

  /** The user's own prices as they are now. Rejects with an `ExportError`. */
  readPrices(): Promise<PriceSource> {
    return this.#withClient(async (client) => {
      await run(client, { text: beginReading })
      const prices = await readOwnPrices({ query: (statement) => run(client, statement) })
      await run(client, commit)
      return prices
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // What still waits for an answer is cut off: a pool does not end, ours or theirs, while a client is checked out.
    for (const client of this.#clients) cutOff(client)
    if (this.#ownership === 'owned') await this.#pool.end()
    else this.#pool.off('error', ignore)
  }

  async #write(statement: Statement): Promise<void> {
    await this.#withClient((client) => runAll(client, [this.#begin(), statement, commit]))
  }

  #begin(): Statement {
    const begunAt = Date.now()
    return { text: this.#clock?.addTo(begin) ?? begin, onAnswer: (answer) => this.#clock?.compare(answer, begunAt) }
  }

  async #withClient<T>(work: (client: UsageClient) => Promise<T>): Promise<T> {
    let client: UsageClient | undefined
    try {
      client = await this.#connect()
      this.#clients.add(client)
      return await lend(client, work)
    } catch (error) {
      throw toExportError(error)
    } finally {
      if (client) this.#clients.delete(client)
    }
  }

  // A borrowed pool may let a request wait for ever. It has no way to take one back: a client that comes late is returned.
  async #connect(): Promise<UsageClient> {
    const connecting = this.#pool.connect()
    const giveUp = new AbortController()
    const timeout = sleep(connectTimeoutMs, undefined, { ref: false, signal: giveUp.signal }).catch(ignore)
    const client = await Promise.race([connecting, timeout]).finally(() => giveUp.abort())
    const isClosed = this.#closing !== undefined
    if (client && !isClosed) return client
    connecting.then((late) => late.release(), ignore)
    throw isClosed
      ? new ExportError('passing', 'closed', 'the exporter is closed')
      : new ExportError('passing', 'timeout', 'the pool gave no connection in time (timeout)')
  }
}

type Statement = {
  readonly text: string
  readonly values?: unknown[]
  readonly onAnswer?: (answer: unknown) => void
}

async function lend<T>(client: UsageClient, work: (client: UsageClient) => Promise<T>): Promise<T> {
  client.on('error', ignore)
  let result: T
  try {
    result = await work(client)
  } catch (error) {
    // After anything but a refusal of data the connection may be dead, or still busy: nobody gets it again.
    const isUsable = toExportError(error).kind === 'data' && (await rollback(client))
    if (isUsable) client.off('error', ignore)
    client.release(!isUsable)
    throw error
  }
  client.off('error', ignore)
  client.release()
  return result
}

// All at once where the client can: what they lock is free again, then, however long this process or the network takes.
// A commit after a statement that failed rolls back.
async function runAll(client: UsageClient, statements: readonly Statement[]): Promise<void> {
  if (!client.pipeline) {
    for (const statement of statements) await run(client, statement)
    return
  }
  const answers = await Promise.allSettled(statements.map((statement) => run(client, statement)))
  for (const answer of answers) if (answer.status === 'rejected') throw answer.reason
}

async function rollback(client: UsageClient): Promise<boolean> {
  try {
    await run(client, { text: 'rollback' })
    return true
  } catch {
    return false
  }
}

async function run(client: UsageClient, { text, values, onAnswer }: Statement): Promise<unknown> {
  const query = { text, ...(values && { values }), query_timeout: clientTimeoutMs }
  const answer = await client.query(query)
  onAnswer?.(answer)
  return answer
}

// A query that waits fails then, which gives its client back to the pool. end() alone would wait for what was sent in a pipeline.
function cutOff(client: UsageClient): void {
  const { connection, end } = client as UsageClient & {
    readonly connection?: { readonly stream?: { destroy?(): void } }
    end?(): Promise<void>
  }
  if (client.pipeline) connection?.stream?.destroy?.()
  else void end?.call(client).catch(ignore)
}

function ignore(): void {}
