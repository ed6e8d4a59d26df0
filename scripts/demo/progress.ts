import { SingleBar } from 'cli-progress'

/** How far a number of steps is: a bar where stderr is a terminal, a line after each quarter elsewhere. */
export type Progress = { step(): void; stop(): void }

/** Begins to show it. `stop` gives the terminal its cursor back. */
export function startProgress(total: number): Progress {
  return process.stderr.isTTY ? startBar(total) : startLines(total)
}

function startBar(total: number): Progress {
  const room = (process.stderr.columns || 80) - ` ${total} of ${total} calls`.length - 1
  const bar = new SingleBar({
    format: '{bar} {value} of {total} calls',
    barsize: Math.max(1, Math.min(40, room)),
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    gracefulExit: false,
    stream: process.stderr,
  })
  bar.start(total, 0)
  return { step: () => bar.increment(), stop: () => bar.stop() }
}

function startLines(total: number): Progress {
  let count = 0
  const step = () => {
    count += 1
    if (count % Math.ceil(total / 4) === 0 || count === total) console.error(`${count} of ${total} calls`)
  }
  return { step, stop: () => {} }
}
