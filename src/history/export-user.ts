import type pg from 'pg'
import { inTransaction } from '../postgres/transaction.js'
import { findSpellings, requirePerson } from './user-data.js'

/** The tables that hold something about a user. */
export const userTables = ['token_usage_logs', 'token_usage_daily', 'token_usage_dead_letters'] as const

export type ExportColumn = {
  readonly name: string
  /** How a value is to be read: as JSON writes it (numbers, true and false, objects), or as a text. */
  readonly kind: 'json' | 'text'
}

/** Rows of one table. Values are the exact texts of PostgreSQL, times in UTC; null is null. */
export type ExportPage = {
  readonly table: (typeof userTables)[number]
  readonly columns: readonly ExportColumn[]
  /** Names of the columns of all tables, each once: the same on every page. */
  readonly allColumns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

const pageRows = 1000

const selectRows = {
  token_usage_logs: 'select * from token_usage_logs where user_email = any($1) order by timestamp, id',
  token_usage_daily: 'select * from token_usage_daily where user_email = any($1) order by day',
  token_usage_dead_letters: `
    select *
    from token_usage_dead_letters
    where token_usage_user_key(token_usage_dead_letter_user(record)) = token_usage_user_key($1)
    order by failed_at`,
} as const

// Of PostgreSQL's catalogue: bool, int8, int2, int4, json, float4, float8, numeric, jsonb.
const jsonTypes = new Set([16, 20, 21, 23, 114, 700, 701, 1700, 3802])
const asText = () => (text: string) => text

/**
 * Hands over all that is stored about a user, all spellings alike, on one snapshot and in pages, so that any number of
 * rows takes the same memory: at least one page of each table, empty where there is nothing. Whoever takes the pages
 * slowly holds nobody up.
 */
export async function exportUser(
  pool: pg.Pool,
  user: string,
  onPage: (page: ExportPage) => Promise<void>,
): Promise<void> {
  requirePerson(user)
  const begin = `begin isolation level repeatable read read only;
    set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;
    set local time zone 'UTC'; set local datestyle = 'ISO'`
  await inTransaction(pool, begin, async (client) => {
    const spellings = await findSpellings(client, user)
    const allColumns = await readColumns(client)
    for (const table of userTables) {
      const subject = table === 'token_usage_dead_letters' ? user : spellings
      await client.query(`declare user_rows no scroll cursor for ${selectRows[table]}`, [subject])
      for (let isFirst = true; ; isFirst = false) {
        const { columns, rows } = await readTexts(client, `fetch ${pageRows} from user_rows`)
        if (rows.length > 0 || isFirst) await onPage({ table, columns, allColumns, rows })
        if (rows.length === 0) break
      }
      await client.query('close user_rows')
    }
  })
}

async function readColumns(client: pg.ClientBase): Promise<string[]> {
  const names = new Set<string>()
  for (const table of userTables) {
    for (const { name } of (await readTexts(client, `select * from ${table} limit 0`)).columns) names.add(name)
  }
  return [...names]
}

async function readTexts(client: pg.ClientBase, text: string): Promise<Pick<ExportPage, 'columns' | 'rows'>> {
  const query = { text, rowMode: 'array' as const, types: { getTypeParser: asText } }
  const { rows, fields } = await client.query<(string | null)[]>(query)
  return { columns: fields.map(({ name, dataTypeID }) => toColumn(name, dataTypeID)), rows }
}

function toColumn(name: string, type: number): ExportColumn {
  return { name, kind: jsonTypes.has(type) ? 'json' : 'text' }
}
