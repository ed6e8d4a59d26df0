import { SingleBar } from 'cli-progress'

/** How far some work is. */
export type Progress = {
  /** So many are done, of `total` where that is known. */
  readonly report: (done: number, total?: number) => void
  /** Leaves it as it is. Call it before anything else is printed. */
  readonly end: () => void
}

const smallTotal = 1000

/**
 * Shows progress on stderr: on a terminal as a bar, or as a count where there is no total; elsewhere as a line every 10,
 * and every 1,000 where there are more than 1,000. `noun` is the plural of what is counted.
 */
export function createProgress(noun = 'rows'): Progress {
  return process.stderr.isTTY ? createBar(noun) : createLines(noun)
}

function createBar(noun: string): Progress {
  let bar: SingleBar | undefined
  return {
    report(done, total) {
      bar ??= startBar(noun, total)
      bar.update(done)
    },
    end: () => bar?.stop(),
  }
}

function startBar(noun: string, total: number | undefined): SingleBar {
  const room = (process.stderr.columns || 80) - ` ${total} of ${total} ${noun}`.length - 1
  const bar = new SingleBar({
    format: total === undefined ? `{value} ${noun}` : `{bar} {value} of {total} ${noun}`,
    barsize: Math.max(1, Math.min(40, room)),
    barCompleteChar: '█',
    barIncompleteChar: '░',
    stream: process.stderr,
  })
  bar.start(total ?? 0, 0)
  return bar
}

function createLines(noun: string): Progress {
  let shown = 0
  return {
    report(done, total) {
      const step = total !== undefined && total <= smallTotal ? 10 : 1000
      const isDue = Math.floor(done / step) > Math.floor(shown / step) || done === total
      if (!isDue || done === shown) return
      shown = done
      console.error(`tokenledger: ${total === undefined ? `${done} ${noun}` : `${done} of ${total} ${noun}`}`)
    },
    end: () => {},
  }
}
