import pg from 'pg'

export type ReadRequest = {
  readonly sql: string
  /** The server stops the query after this time; a second later we stop waiting for the server. */
  readonly timeoutMs: number
}

/** Column name to value, in the order of the query. */
export type JsonRow = Record<string, unknown>

const { builtins } = pg.types

/**
 * Reads rows ready for JSON in a read-only transaction, also through a transaction-mode pgbouncer. A `bigint` or `numeric`
 * is a number where a number holds it exactly, else a string, and null where it is not a number at all; a date is text.
 */
export async function readRows(pool: pg.Pool, { sql, timeoutMs }: ReadRequest): Promise<JsonRow[]> {
  const client = await pool.connect()
  const run = (text: string) => {
    // The driver takes a time limit for one query, its types know it for a whole pool only.
    const query = { text, types: { getTypeParser }, query_timeout: timeoutMs + 1000 }
    return client.query<JsonRow>(query)
  }
  try {
    await run(`begin read only; set local statement_timeout = ${Math.ceil(timeoutMs)}`)
    const { rows } = await run(sql)
    await run('commit')
    client.release()
    return rows
  } catch (error) {
    // The transaction is still open, and the connection may be dead.
    client.release(true)
    throw error
  }
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
