import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { SeededRandom } from '../support/seeded-random.js'
import type { TestDatabase } from '../support/test-database.js'
import type { WorkerSettings } from './worker.js'

const script = fileURLToPath(new URL('worker.ts', import.meta.url))

/** A worker process. */
export type Worker = {
  readonly process: ChildProcess
  /** What it said on stdout, a line each: the ids it has logged. */
  readonly announced: string[]
  readonly stderr: () => string
  /** Resolves at its first line. */
  readonly started: Promise<unknown>
  readonly ended: Promise<unknown>
}

/** What became of the rows that workers announced. */
export type Verdict = {
  readonly announced: number
  readonly rows: number
  /** Announced, and neither a row nor a dead letter. */
  readonly lost: number
  readonly twice: number
  /** Rows that the store counts as lost, by reason. A write that a kill cut in two is one, of a turn that had not ended. */
  readonly counted: Readonly<Record<string, number>>
}

/** Starts a worker; `command` may be a program that starts it in its turn. */
export function startWorker(settings: WorkerSettings, command: readonly string[] = []): Worker {
  const [program = process.execPath, ...before] = [...command, process.execPath]
  const child = spawn(program, [...before, '--import', 'tsx', script, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const announced: string[] = []
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const lines = createInterface(child.stdout)
  lines.on('line', (line) => announced.push(line))
  const ended = Promise.all([once(child, 'close'), once(lines, 'close')])
  return {
    process: child,
    announced,
    stderr: () => stderr,
    started: Promise.race([once(lines, 'line'), ended]),
    ended,
  }
}

export type KillPlan = {
  readonly kills: number
  /** Worker processes at the same time. */
  readonly workers: number
  readonly random: SeededRandom
  readonly options: WorkerSettings['options']
}

/** Kills workers in the middle of their work, again and again, and returns what all of them announced. */
export async function killWorkers({ kills, workers, random, options }: KillPlan): Promise<string[]> {
  const announced: string[] = []
  let started = 0
  const killOneAfterTheOther = async () => {
    while (started < kills) {
      const worker = startWorker({ name: `worker${started++}`, does: 'log', options })
      await worker.started
      await sleep(random.integer(5, 500))
      worker.process.kill('SIGKILL')
      await worker.ended
      if (worker.announced.length === 0) throw new Error(`the worker did not start: ${worker.stderr()}`)
      announced.push(...worker.announced)
    }
  }
  await Promise.all(Array.from({ length: workers }, killOneAfterTheOther))
  return announced
}

/** Runs a worker that takes over what is in the spool until nothing is. */
export async function recoverSpool(options: WorkerSettings['options']): Promise<{ recovered: number }> {
  const worker = startWorker({ name: 'recover', does: 'recover', options })
  await worker.ended
  const stats = worker.announced.at(-1) ?? ''
  if (!stats.startsWith('{')) throw new Error(`nothing was recovered: ${worker.stderr()}`)
  return JSON.parse(stats)
}

export async function judge(database: TestDatabase, announced: readonly string[]): Promise<Verdict> {
  const stored = await database.query('select response_id from token_usage_logs')
  const letters = await database.query("select record ->> 'responseId' as id from token_usage_dead_letters")
  const losses = await database.query('select reason, sum(records)::int as records from token_usage_losses group by 1')
  const rows = stored.map((row) => row.response_id as string)
  const known = new Set([...rows, ...letters.map(({ id }) => id)])
  return {
    announced: announced.length,
    rows: rows.length,
    lost: announced.filter((id) => !known.has(id)).length,
    twice: rows.length - new Set(rows).size,
    counted: Object.fromEntries(losses.map(({ reason, records }) => [reason, records])),
  }
}
