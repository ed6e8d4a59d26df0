import type pg from 'pg'
import { ExportError } from '../errors.js'
import { restoreRecord } from '../recording/spool/spooled-record.js'
import type { UsageRecord } from '../usage/usage-record.js'
import { isoTime } from './iso-time.js'
import { PostgresUsageExporter } from './usage-exporter.js'

/** A record that the table refused. */
export type DeadLetter = {
  readonly eventId: string
  /** ISO 8601, in UTC. */
  readonly failedAt: string
  /** SQLSTATE of the refusal, and what it means. */
  readonly code: string
  readonly reason: string
  /** The record as JSON, as it was to be written. */
  readonly record: string
}

export type RetryOptions = {
  /** The one to send; all by default. */
  readonly eventId?: string
  /** `send` by default; `count` changes nothing and says what would be sent. */
  readonly mode?: 'send' | 'count'
}

export type RetryResult = {
  readonly found: number
  /** Rows that are in the table now; their dead letters are gone. */
  readonly written: number
  /** Letters that are gone without a row: their user was erased, or their day pruned. */
  readonly dropped: number
  /** Still dead letters. */
  readonly refused: number
  readonly refusals: readonly { readonly code: string; readonly reason: string; readonly records: number }[]
}

type Sendable = { readonly letter: DeadLetter; readonly record: UsageRecord }
type Refusal = { readonly code: string; readonly reason: string }

const pageSize = 200
const notARecord = { code: 'not a record', reason: 'what was kept is not a usage record' }

const selectPage = `
  select
    event_id as "eventId",
    ${isoTime('failed_at')} as "failedAt",
    code,
    reason,
    record::text as record
  from token_usage_dead_letters
  where ($1::uuid is null or event_id = $1)
    and ($2::timestamptz is null or (failed_at, event_id) > ($2, $3::uuid))
  order by failed_at, event_id
  limit $4`

/** Dead letters in pages of at most 200, the oldest first; `eventId` asks for that one alone. */
export async function* readDeadLetters(pool: pg.Pool, eventId?: string): AsyncGenerator<DeadLetter[]> {
  let last: DeadLetter | undefined
  do {
    const values = [eventId, last?.failedAt, last?.eventId, pageSize]
    const { rows } = await pool.query<DeadLetter>(selectPage, values)
    if (rows.length > 0) yield rows
    last = rows.length === pageSize ? rows.at(-1) : undefined
  } while (last)
}

/**
 * Writes dead letters to `token_usage_logs` under the ids they have, so that none is written twice, and removes each once
 * its row is acknowledged. What is refused again stays. Rejects with the first error that is not about a record; calling
 * it again goes on from there.
 */
export async function retryDeadLetters(pool: pg.Pool, options: RetryOptions = {}): Promise<RetryResult> {
  const tally = new RetryTally()
  const exporter = new PostgresUsageExporter(pool, 'borrowed')
  try {
    for await (const letters of readDeadLetters(pool, options.eventId)) {
      const sendable = restore(letters, tally)
      if (options.mode !== 'count') await send(sendable, { pool, exporter, tally })
    }
  } finally {
    await exporter.close()
  }
  return tally.result()
}

class RetryTally {
  #found = 0
  #written = 0
  #dropped = 0
  readonly #refusals = new Map<string, { code: string; reason: string; records: number }>()

  found(count: number): void {
    this.#found += count
  }

  /** Of `count` letters that are gone, so many have their row. */
  settled(count: number, written: number): void {
    this.#written += written
    this.#dropped += count - written
  }

  refused({ code, reason }: Refusal): void {
    const entry = this.#refusals.get(code) ?? { code, reason, records: 0 }
    entry.records += 1
    this.#refusals.set(code, entry)
  }

  result(): RetryResult {
    const refusals = [...this.#refusals.values()]
    const refused = refusals.reduce((sum, { records }) => sum + records, 0)
    return { found: this.#found, written: this.#written, dropped: this.#dropped, refused, refusals }
  }
}

function restore(letters: readonly DeadLetter[], tally: RetryTally): Sendable[] {
  tally.found(letters.length)
  return letters.flatMap((letter) => {
    const record = restoreRecord(Buffer.from(letter.record))
    if (record === undefined) tally.refused(notARecord)
    return record === undefined ? [] : [{ letter, record: { ...record, eventId: letter.eventId } }]
  })
}

type Sending = { readonly pool: pg.Pool; readonly exporter: PostgresUsageExporter; readonly tally: RetryTally }

// By halves where the data are refused, until each refused record stands alone.
async function send(batch: readonly Sendable[], sending: Sending): Promise<void> {
  if (batch.length === 0) return
  const { pool, exporter, tally } = sending
  const refusal = await refusalOf(exporter.export(batch.map(({ record }) => record)))
  if (refusal === undefined) {
    // Only now: whatever ends the process in between leaves a dead letter whose row is there, which may be sent again.
    const ids = [batch.map(({ letter }) => letter.eventId)]
    await pool.query('delete from token_usage_dead_letters where event_id = any($1::uuid[])', ids)
    const kept = await pool.query('select from token_usage_logs where event_id = any($1::uuid[])', ids)
    tally.settled(batch.length, kept.rowCount ?? 0)
  } else if (batch.length === 1) {
    tally.refused({ code: refusal.reason, reason: refusal.message })
  } else {
    const middle = batch.length >> 1
    await send(batch.slice(0, middle), sending)
    await send(batch.slice(middle), sending)
  }
}

async function refusalOf(write: Promise<void>): Promise<ExportError | undefined> {
  try {
    await write
    return undefined
  } catch (error) {
    if (error instanceof ExportError && error.kind === 'data') return error
    throw error
  }
}
