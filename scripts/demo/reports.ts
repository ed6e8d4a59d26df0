import { readFile } from 'node:fs/promises'
import Table, { type CharName } from 'cli-table3'
import type pg from 'pg'
import { type JsonRow, readRows } from '../../src/postgres/read-rows.js'

const reports = [
  { name: 'daily-usage-per-user', title: 'Daily usage per user, last 30 days' },
  { name: 'most-used-models', title: 'Most used models, last 7 days' },
  { name: 'user-activity-summary', title: 'User activity, times in UTC' },
] as const
const timeoutMs = 30_000
const maxRows = 10
const maxText = 32
const noFrame: Partial<Record<CharName, string>> = {
  ...{ top: '', 'top-left': '', 'top-mid': '', 'top-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
  ...{ bottom: '', 'bottom-left': '', 'bottom-mid': '', 'bottom-right': '' },
}
const lineAbove: Partial<Record<CharName, string>> = { mid: '─', 'mid-mid': '──' }

/** The three documented queries over all rows of the database, each as a table of its first rows. */
export async function renderReports(pool: pg.Pool): Promise<string> {
  const texts: string[] = []
  for (const { name, title } of reports) {
    const path = `sql/queries/${name}.sql`
    const sql = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
    texts.push(`${title} (${path})\n\n${renderTable(await readRows(pool, { sql, timeoutMs }))}\n`)
  }
  return texts.join('\n')
}

/** A table of the first ten rows; counts are aligned right and grouped by thousands. */
export function renderTable(rows: readonly JsonRow[]): string {
  const columns = Object.keys(rows[0] ?? {})
  if (columns.length === 0) return '(no rows)'
  const table = new Table({
    head: columns.map((column) => column.replaceAll('_', '\n')),
    colAligns: columns.map((column) => (isCount(column) ? 'right' : 'left')),
    rowAligns: ['bottom'],
    chars: noFrame,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const [index, row] of rows.slice(0, maxRows).entries()) {
    const chars = index === 0 ? lineAbove : {}
    table.push(columns.map((column) => ({ content: formatCell(column, row[column]), chars })))
  }
  const more = rows.length - maxRows
  return more > 0 ? `${table}\n... and ${more.toLocaleString('en')} more rows` : `${table}`
}

function isCount(column: string): boolean {
  return /(^|_)(total|count)(_|$)/.test(column)
}

function formatCell(column: string, value: unknown): string {
  if (value instanceof Date) return value.toISOString().slice(0, 16).replace('T', ' ')
  // A sum beyond the exact numbers comes as a text of digits.
  if (isCount(column) && value !== null) return BigInt(String(value)).toLocaleString('en')
  // Anybody may have written the row, and a terminal obeys control characters.
  const text = String(value ?? '').replace(/\p{C}/gu, '?')
  return text.length > maxText ? `${text.slice(0, maxText - 1)}…` : text
}
