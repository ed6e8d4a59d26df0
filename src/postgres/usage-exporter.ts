import type pg from 'pg'
import type { UsageExporter, UsageLoss } from '../recording/exporter.js'
import type { UsageRecord } from '../usage/usage-record.js'
import { toExportError } from './error-kind.js'
import { insertRecords } from './insert-records.js'

// The client gives up later than the server, so that a write is normally cancelled there and known to be.
const lockTimeoutMs = 5000
const statementTimeoutMs = 10_000
const clientTimeoutMs = 15_000
const begin = `begin; set local statement_timeout = ${statementTimeoutMs}; set local lock_timeout = ${lockTimeoutMs}`

const insertDeadLetter = `insert into token_usage_dead_letters (event_id, code, reason, record)
values ($1, $2, $3, $4)
on conflict (event_id) do nothing`

const insertLoss = `insert into token_usage_losses (id, reason, records, input_tokens, output_tokens, first_at, last_at)
values ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), to_timestamp($7::float8 / 1000))
on conflict (id) do nothing`

/**
 * Writes usage records to PostgreSQL: each batch is one transaction on one connection, with nothing that a
 * transaction-mode pgbouncer would not carry. A pool that was handed in is left open by `close()`.
 */
export class PostgresUsageExporter implements UsageExporter {
  readonly name = 'PostgreSQL'
  readonly #pool: pg.Pool
  readonly #ownsPool: 'owned' | 'borrowed'
  #client: pg.PoolClient | undefined
  #closing: Promise<void> | undefined

  constructor(pool: pg.Pool, ownership: 'owned' | 'borrowed') {
    this.#pool = pool
    this.#ownsPool = ownership
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

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#ownsPool === 'borrowed') return
    // A pool does not end while a client is checked out. Ending the client makes its query fail and gives it back.
    void (this.#client as unknown as pg.Client | undefined)?.end().catch(() => undefined)
    await this.#pool.end()
  }

  async #write(statement: Statement): Promise<void> {
    try {
      this.#client = await this.#pool.connect()
      await inTransaction(this.#client, statement)
    } catch (error) {
      throw toExportError(error)
    } finally {
      this.#client = undefined
    }
  }
}

type Statement = { readonly text: string; readonly values?: unknown[] }

async function inTransaction(client: pg.PoolClient, statement: Statement): Promise<void> {
  const run = (query: Statement) => client.query({ ...query, query_timeout: clientTimeoutMs } as pg.QueryConfig)
  const ignore = () => {}
  client.on('error', ignore)
  try {
    await run({ text: begin })
    await run(statement)
    await run({ text: 'commit' })
  } catch (error) {
    // After anything but a refusal of data the connection may be dead, or still busy: nobody gets it again.
    const isUsable = toExportError(error).kind === 'data' && (await rollback(client))
    if (isUsable) client.off('error', ignore)
    client.release(!isUsable)
    throw error
  }
  client.off('error', ignore)
  client.release()
}

async function rollback(client: pg.PoolClient): Promise<boolean> {
  try {
    await client.query({ text: 'rollback', query_timeout: clientTimeoutMs } as pg.QueryConfig)
    return true
  } catch {
    return false
  }
}
