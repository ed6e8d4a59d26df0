import { cpus } from 'node:os'
import Table from 'cli-table3'

/** One line of a table of figures; `ratio` is to the line that says 1. */
export type Row = { readonly what: string; readonly figure: string; readonly ratio: string }

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value that this share of the others is below: 0.99 is the 99th percentile. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN
}

export function printMachine(): void {
  const [cpu] = cpus()
  console.log(`${cpus().length} x ${cpu?.model.trim()}, ${process.platform}, Node ${process.versions.node}`)
}

export function printTable(
  title: string,
  rows: readonly Row[],
  [figure = 'median', ratio = 'ratio']: readonly string[] = [],
): void {
  const table = new Table({
    head: [title, figure, ratio],
    colAligns: ['left', 'right', 'right'],
    style: { head: [] },
  })
  for (const { what, figure, ratio } of rows) table.push([what, figure, ratio])
  console.log(table.toString())
}
