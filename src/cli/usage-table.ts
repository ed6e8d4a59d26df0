import Table, { type CharName } from 'cli-table3'
import { stringify } from 'csv-stringify/sync'
import { spreadsheetCsv } from '../usage/spreadsheet-text.js'

type Cell = string | number | null

/** One column of a report: its name in CSV, its head in a table, and how a cell reads there. */
export type Column<Row> = {
  readonly name: string
  readonly head: string
  readonly value: (row: Row) => Cell
  readonly format: (value: Cell) => string
}

const noFrame: Partial<Record<CharName, string>> = {
  ...{ top: '', 'top-left': '', 'top-mid': '', 'top-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
  ...{ bottom: '', 'bottom-left': '', 'bottom-mid': '', 'bottom-right': '' },
}

/** Lines for a person: figures to the right, names to the left, no colours. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const table = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ format }) => (format === asName ? 'left' : 'right')),
    chars: noFrame,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) table.push(columns.map(({ value, format }) => format(value(row))))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** CSV with a line of names. No text is one that a spreadsheet takes for a formula: it gets an apostrophe before it. */
export function renderCsv<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [columns.map(({ name }) => name), ...rows.map((row) => columns.map(({ value }) => value(row)))]
  return stringify(lines, spreadsheetCsv).trimEnd()
}

/** A name from whoever wrote the row; a terminal is not to obey it. */
export function asName(value: Cell): string {
  return value === '' ? '(none)' : String(value ?? '').replace(/\p{C}/gu, '?')
}

export function asCount(value: Cell): string {
  return value === null ? 'unknown' : Number(value).toLocaleString('en')
}

/** US dollars: to the cent from one dollar on, else three digits, however small. */
export function asUsd(value: Cell): string {
  if (value === null) return 'unpriced'
  const amount = Number(value)
  const digits =
    amount === 0 || amount >= 1
      ? { minimumFractionDigits: 2, maximumFractionDigits: 2 }
      : { maximumSignificantDigits: 3, maximumFractionDigits: 12 }
  return `$${amount.toLocaleString('en', digits)}`
}

export function asMs(value: Cell): string {
  return value === null ? '-' : `${Number(value).toLocaleString('en')} ms`
}

export function asShare(value: Cell): string {
  return value === null ? '-' : `${(Number(value) * 100).toFixed(1)} %`
}
