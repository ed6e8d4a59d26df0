import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundleScript } from '../support/bundle-script.js'
import type { SeededRandom } from '../support/seeded-random.js'
import type { WorkerSettings, WorkerStats } from './worker.js'

/** A worker process. */
export type Worker = {
  readonly process: ChildProcess
  /** The ids it has logged. */
  readonly announced: string[]
  /** What it told of `stats()`, oldest first. */
  readonly stats: WorkerStats[]
  readonly stderr: () => string
  /** Resolves at its first line. */
  readonly started: Promise<unknown>
  readonly ended: Promise<unknown>
  /** Lets it close, and waits for its end. */
  finish(): Promise<void>
  /** Its present stats; of the last of its loggers, if it has several. */
  ask(): Promise<WorkerStats>
}

const running = new Set<ChildProcess>()

// Of a run that is stopped, and before its directories are removed.
process.prependOnceListener('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a worker; `command` may be a program that starts it in its turn. */
export function startWorker(settings: WorkerSettings, command: readonly string[] = []): Worker {
  const [program = process.execPath, ...before] = [...command, process.execPath]
  const child = spawn(program, [...before, bundleScript('test/faults/worker.ts'), JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const announced: string[] = []
  const stats: WorkerStats[] = []
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const lines = createInterface(child.stdout)
  lines.on('line', (line) => {
    if (line.startsWith('{')) stats.push(JSON.parse(line))
    else if (line !== 'ready') announced.push(line)
  })
  child.stdin.on('error', () => {})
  const ended = Promise.all([once(child, 'close'), once(lines, 'close')])
  return {
    process: child,
    announced,
    stats,
    stderr: () => stderr,
    started: Promise.race([once(lines, 'line'), ended]),
    ended,
    finish: async () => {
      child.stdin.end()
      await ended
    },
    ask: async () => {
      const told = stats.length + (settings.loggers ?? 1)
      child.stdin.write('stats\n')
      while (stats.length < told && child.exitCode === null) await once(lines, 'line')
      return stats[told - 1] as WorkerStats
    },
  }
}

export type KillPlan = {
  readonly kills: number
  /** Worker processes at the same time. */
  readonly workers: number
  readonly random: SeededRandom
  readonly options: WorkerSettings['options']
}

/** What killed workers announced, and how many of them had told that their disk stalls: those promise nothing. */
export type Killed = { readonly announced: readonly string[]; readonly stalled: number }

/** Kills workers in the middle of their work, again and again. */
export async function killWorkers({ kills, workers, random, options }: KillPlan): Promise<Killed> {
  const killed: Worker[] = []
  let started = 0
  const killOneAfterTheOther = async () => {
    while (started < kills) {
      const worker = startWorker({ name: `worker${started++}`, does: 'log', options })
      await worker.started
      await sleep(random.integer(5, 500))
      worker.process.kill('SIGKILL')
      await worker.ended
      if (worker.announced.length === 0) throw new Error(`the worker did not start: ${worker.stderr()}`)
      killed.push(worker)
    }
  }
  await Promise.all(Array.from({ length: workers }, killOneAfterTheOther))
  return sumUp(killed)
}

/** A machine with too much to do makes the spool believe that its disk stalls; it then says that rows are in memory only. */
export function sumUp(killed: readonly Worker[]): Killed {
  const promising = killed.filter((worker) => !worker.stderr().includes('kept in memory only'))
  return {
    announced: promising.flatMap(({ announced }) => announced),
    stalled: killed.length - promising.length,
  }
}

/** Runs a worker that takes over what is in the spool until nothing is. */
export async function recoverSpool(options: WorkerSettings['options']): Promise<WorkerStats> {
  const worker = startWorker({ name: 'recover', does: 'recover', options })
  await worker.ended
  const stats = worker.stats.at(-1)
  if (stats === undefined) throw new Error(`nothing was recovered: ${worker.stderr()}`)
  return stats
}
