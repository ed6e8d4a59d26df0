import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

export type Column<Row> = {
  readonly name: string
  /** What rows are sorted by; an unknown one comes last. */
  readonly value: (row: Row) => number | string | null
  readonly show: (row: Row) => ComponentChildren
  readonly isText?: true
}

export type UsageTableProps<Row> = {
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
}

type Order = { readonly column: number; readonly isDescending: boolean }

/** A table that is sorted by a click on a column's name. At first the rows stand as they came. */
export function UsageTable<Row>({ caption, columns, rows, keyOf }: UsageTableProps<Row>) {
  const [order, setOrder] = useState<Order>()
  const sortBy = (column: number) =>
    setOrder((before) => ({
      column,
      isDescending: before?.column === column ? !before.isDescending : columns[column]?.isText === undefined,
    }))
  return (
    <div class="scroll">
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ name, isText }, index) => (
              <th key={name} scope="col" class={isText ? 'text' : undefined} aria-sort={sortState(order, index)}>
                <button type="button" onClick={() => sortBy(index)}>
                  {name}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted(rows, order, columns).map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ name, show, isText }) => (
                <td key={name} class={isText ? 'text' : undefined}>
                  {show(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function sortState(order: Order | undefined, column: number) {
  if (order?.column !== column) return 'none'
  return order.isDescending ? 'descending' : 'ascending'
}

function sorted<Row>(rows: readonly Row[], order: Order | undefined, columns: readonly Column<Row>[]): readonly Row[] {
  const value = order && columns[order.column]?.value
  if (order === undefined || value === undefined) return rows
  const sign = order.isDescending ? -1 : 1
  return [...rows].sort((one, other) => compare(value(one), value(other), sign))
}

function compare(one: number | string | null, other: number | string | null, sign: number): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null)
  if (typeof one === 'string' || typeof other === 'string') return sign * String(one).localeCompare(String(other))
  return sign * (one - other)
}
