import { toSpreadsheetText } from '../usage/spreadsheet-text.js'
import type { ExportColumn, ExportPage } from './export-user.js'

/** Makes one document of pages: the texts of all pages in their order, then the end. */
export interface ExportFormat {
  textOf(page: ExportPage): string
  readonly end: string
}

/** `{"token_usage_logs":[...],...}` with a row on each line; numbers are as exact as they are stored. */
export class JsonExport implements ExportFormat {
  readonly end = '\n]}\n'
  #table: string | undefined
  #hasRows = false

  textOf(page: ExportPage): string {
    const start = page.table === this.#table ? '' : this.#begin(page.table)
    const lines = page.rows.map((row) => `\n${toJsonObject(page.columns, row)}`)
    const separator = this.#hasRows && lines.length > 0 ? ',' : ''
    this.#hasRows ||= lines.length > 0
    return start + separator + lines.join(',')
  }

  #begin(table: string): string {
    const before = this.#table === undefined ? '{' : '\n],\n'
    this.#table = table
    this.#hasRows = false
    return `${before}${JSON.stringify(table)}:[`
  }
}

/**
 * One CSV file by RFC 4180: the name of the table, then every column that at least one of the tables has. What a
 * spreadsheet would take for a formula gets an apostrophe before it.
 */
export class CsvExport implements ExportFormat {
  readonly end = ''
  #hasHeader = false

  textOf({ table, columns, allColumns, rows }: ExportPage): string {
    const header = this.#hasHeader ? '' : `${['table', ...allColumns].map(textCell).join(',')}\r\n`
    this.#hasHeader = true
    const indexes = allColumns.map((name) => columns.findIndex((column) => column.name === name))
    const cells = (row: ExportPage['rows'][number]) =>
      indexes.map((index) => toCell(row[index] ?? null, columns[index]?.kind))
    return header + rows.map((row) => `${[textCell(table), ...cells(row)].join(',')}\r\n`).join('')
  }
}

function toJsonObject(columns: readonly ExportColumn[], row: ExportPage['rows'][number]): string {
  const members = columns.map(({ name, kind }, index) => `${JSON.stringify(name)}:${toJson(row[index] ?? null, kind)}`)
  return `{${members.join(',')}}`
}

function toJson(value: string | null, kind: ExportColumn['kind']): string {
  if (value === null) return 'null'
  if (kind === 'text') return JSON.stringify(value)
  if (value === 't' || value === 'f') return String(value === 't')
  return isJson(value) ? value : JSON.stringify(value)
}

// NaN is a number to PostgreSQL alone.
function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function toCell(value: string | null, kind: ExportColumn['kind'] | undefined): string {
  if (value === null) return ''
  return kind === 'json' && /^-?[\d.]+(e[+-]?\d+)?$/.test(value) ? value : textCell(value)
}

function textCell(text: string): string {
  return `"${toSpreadsheetText(text).replaceAll('"', '""')}"`
}
