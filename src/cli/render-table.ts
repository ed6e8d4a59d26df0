import Table, { type CharName } from 'cli-table3'
import { printable } from './printable.js'

export type TableColumn = { readonly title: string; readonly align?: 'left' | 'right' }

const noFrame: Partial<Record<CharName, string>> = {
  ...{ top: '', 'top-left': '', 'top-mid': '', 'top-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
  ...{ bottom: '', 'bottom-left': '', 'bottom-mid': '', 'bottom-right': '' },
}
const lineAbove: Partial<Record<CharName, string>> = { mid: '─', 'mid-mid': '──' }

/** A table for a terminal, without a frame. Titles may have several lines; cells are made printable. */
export function renderTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align = 'left' }) => align),
    rowAligns: ['bottom'],
    chars: noFrame,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const [index, row] of rows.entries()) {
    const chars = index === 0 ? lineAbove : {}
    table.push(row.map((cell) => ({ content: printable(cell), chars })))
  }
  // Cells are filled up to the width of their column, also the last ones.
  return table.toString().replace(/ +$/gm, '')
}
