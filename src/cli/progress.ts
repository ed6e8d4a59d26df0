import { SingleBar } from 'cli-progress'

/** How far a number of steps is: a bar where stderr is a terminal, a line after each quarter elsewhere. */
export type Progress = { step(count?: number): void; stop(): void }

/** Begins to show how many of `total` there are, whose plural is `noun`. `stop` leaves it as it is. */
export function startProgress(total: number, noun: string): Progress {
  return process.stderr.isTTY ? startBar(total, noun) : startLines(total, noun)
}

function startBar(total: number, noun: string): Progress {
  const room = (process.stderr.columns || 80) - ` ${total} of ${total} ${noun}`.length - 1
  const bar = new SingleBar({
    format: `{bar} {value} of {total} ${noun}`,
    barsize: Math.max(1, Math.min(40, room)),
    barCompleteChar: '█',
    barIncompleteChar: '░',
    stream: process.stderr,
  })
  bar.start(total, 0)
  return { step: (count = 1) => bar.increment(count), stop: () => bar.stop() }
}

function startLines(total: number, noun: string): Progress {
  const quarter = Math.ceil(total / 4)
  let done = 0
  const step = (count = 1) => {
    const before = done
    done += count
    const isNextQuarter = Math.floor(done / quarter) > Math.floor(before / quarter)
    if (isNextQuarter || (done === total && count > 0)) console.error(`${done} of ${total} ${noun}`)
  }
  return { step, stop: () => {} }
}
