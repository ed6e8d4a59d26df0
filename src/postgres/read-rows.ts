import pg from 'pg'
import type { UsagePool } from './usage-exporter.js'

export type ReadRequest = {
  readonly sql: string
  /** The server stops the query after this time; a second later we stop waiting for the server. */
  readonly timeoutMs: number
}

/** Column name to value, in the order of the query. */
export type JsonRow = Record<string, unknown>

/** Runs one query with the values of its `$n`. */
export type ReadQuery = (sql: string, values?: readonly unknown[]) => Promise<JsonRow[]>

const { builtins } = pg.types

/**
 * Reads rows ready for JSON in a read-only transaction, also through a transaction-mode pgbouncer. A `bigint` or `numeric`
 * is a number where a number holds it exactly, else a string, and null where it is not a number at all; a date is text.
 */
export function readRows(pool: UsagePool, { sql, timeoutMs }: ReadRequest): Promise<JsonRow[]> {
  return readSnapshot(pool, timeoutMs, (read) => read(sql))
}

/**
 * Runs several queries as `readRows` does one, all on the same snapshot: what is written meanwhile is in none of them.
 * `timeoutMs` is for each of them.
 */
export async function readSnapshot<T>(
  pool: UsagePool,
  timeoutMs: number,
  work: (read: ReadQuery) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  const run: ReadQuery = async (text, values) => {
    // The driver takes a time limit for one query, its types know it for a whole pool only.
    const query = { text, values: values && [...values], types: { getTypeParser }, query_timeout: timeoutMs + 1000 }
    const { rows } = await client.query(query)
    return rows as JsonRow[]
  }
  try {
    await run(beginReading(timeoutMs))
    const result = await work(run)
    await run('commit')
    client.release()
    return result
  } catch (error) {
    // The transaction is still open, and the connection may be dead.
    client.release(true)
    throw error
  }
}

// Compiling a plan takes longer than these queries do, and so does sorting on disk what fits into memory.
function beginReading(timeoutMs: number): string {
  const settings = `statement_timeout = ${Math.ceil(timeoutMs)}`
  return `begin isolation level repeatable read read only; set local ${settings}; set local jit = off; set local work_mem = '32MB'`
}

const getTypeParser = ((oid: number, format?: 'text') => {
  switch (oid) {
    case builtins.INT8:
    case builtins.NUMERIC:
      return toExactNumber
    case builtins.FLOAT4:
    case builtins.FLOAT8:
      return (text: string) => (Number.isFinite(Number(text)) ? Number(text) : null)
    case builtins.DATE:
      // The driver would make it midnight of this process's time zone, and JSON another day.
      return (text: string) => text
    default:
      return pg.types.getTypeParser(oid, format)
  }
}) as typeof pg.types.getTypeParser

function toExactNumber(text: string): number | string | null {
  const number = Number(text)
  if (!Number.isFinite(number)) return null
  const significantDigits = text.replace(/[-.]/g, '').replace(/^0+|0+$/g, '').length
  // A double keeps any 15 significant digits, and whole numbers a little further.
  const isExact = significantDigits <= 15 || (!text.includes('.') && Number.isSafeInteger(number))
  return isExact ? number : text
}
