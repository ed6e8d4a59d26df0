export type Progress = {
  /** Without a total there is no bar, only the count. */
  readonly report: (done: number, total?: number) => void
  /** Ends the line of the bar. Call it before anything else is printed. */
  readonly end: () => void
}

const barWidth = 40
const smallTotal = 1000

/**
 * Shows on stderr how far some work is: as a bar that is drawn anew on a terminal, elsewhere as a line every 10 rows, and
 * every 1,000 where there are more than 1,000.
 */
export function createProgress(): Progress {
  const isTerminal = process.stderr.isTTY === true
  let shown = 0
  return {
    report(done, total) {
      const step = total !== undefined && total <= smallTotal ? 10 : 1000
      const isDue = Math.floor(done / step) > Math.floor(shown / step) || done === total
      if (!isDue || done === shown) return
      shown = done
      if (isTerminal) process.stderr.write(`\r${total ? bar(done / total) : ''}${describe(done, total)}`)
      else console.error(`tokenledger: ${describe(done, total)}`)
    },
    end() {
      if (isTerminal && shown > 0) process.stderr.write('\n')
      shown = 0
    },
  }
}

function describe(done: number, total: number | undefined): string {
  return total === undefined ? `${done} rows` : `${done} of ${total} rows`
}

function bar(share: number): string {
  const full = Math.round(barWidth * Math.min(1, share))
  return `[${'='.repeat(full)}${' '.repeat(barWidth - full)}] `
}
