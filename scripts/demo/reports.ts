import { readFile } from 'node:fs/promises'
import type pg from 'pg'
import { renderTable } from '../../src/cli/render-table.js'
import { type JsonRow, readRows } from '../../src/postgres/read-rows.js'

const reports = [
  { name: 'daily-usage-per-user', title: 'Daily usage per user, last 30 days' },
  { name: 'most-used-models', title: 'Most used models, last 7 days' },
  { name: 'user-activity-summary', title: 'User activity, times in UTC' },
] as const
const timeoutMs = 30_000
const maxRows = 10
const maxText = 32

/** The three documented queries over all rows of the database, each as a table of its first rows. */
export async function renderReports(pool: pg.Pool): Promise<string> {
  const texts: string[] = []
  for (const { name, title } of reports) {
    const path = `sql/queries/${name}.sql`
    const sql = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
    texts.push(`${title} (${path})\n\n${renderRows(await readRows(pool, { sql, timeoutMs }))}\n`)
  }
  return texts.join('\n')
}

/** A table of the first ten rows; counts are aligned right and grouped by thousands. */
export function renderRows(rows: readonly JsonRow[]): string {
  const columns = Object.keys(rows[0] ?? {})
  if (columns.length === 0) return '(no rows)'
  const table = renderTable(
    columns.map((column) => ({ title: column.replaceAll('_', '\n'), align: isCount(column) ? 'right' : 'left' })),
    rows.slice(0, maxRows).map((row) => columns.map((column) => formatCell(column, row[column]))),
  )
  const more = rows.length - maxRows
  return more > 0 ? `${table}\n... and ${more.toLocaleString('en')} more rows` : table
}

function isCount(column: string): boolean {
  return /(^|_)(total|count)(_|$)/.test(column)
}

function formatCell(column: string, value: unknown): string {
  if (value instanceof Date) return value.toISOString().slice(0, 16).replace('T', ' ')
  // A sum beyond the exact numbers comes as a text of digits.
  if (isCount(column) && value !== null) return BigInt(String(value)).toLocaleString('en')
  const text = String(value ?? '')
  return text.length > maxText ? `${text.slice(0, maxText - 1)}…` : text
}
