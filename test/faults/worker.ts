// A process that logs, or takes over what others left: `worker.ts <settings as JSON>`. It announces the id of each row on
// stdout one turn of the event loop after it was logged.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { createUsageLogger, type UsageLogger, type UsageLoggerOptions, type UsageLoggerStats } from '../../src/index.js'
import { createOwnPool, type OwnPoolSettings } from './own-pool.js'
import { stallSpool } from './stalled-disk.js'

/**
 * What a worker does. `log`: logs until its stdin ends or a signal comes, then closes, which may take `closeMs`, and tells
 * its stats; meanwhile `stats` on stdin asks for them, and `block <ms>` blocks the event loop. `fill`: logs `rows` rows, one
 * each turn, announces them, tells its stats, and goes on as `log` does. `replay`: logs `rows` rows that are the same for every worker, in
 * an order of its own, and goes on as `log` does. `recover`: waits until the spool is empty, closes, tells its stats.
 */
export type WorkerSettings = {
  readonly name: string
  readonly does: 'log' | 'fill' | 'replay' | 'recover' | 'exit' | 'exit at once' | 'throw' | 'exhaust memory'
  readonly options: UsageLoggerOptions
  /** Of each logger; about 1500 by default. */
  readonly rowsPerSecond?: number
  /** How many loggers log side by side, each with these options; 1 by default. */
  readonly loggers?: number
  readonly closeMs?: number
  /** What `fill` and `replay` log; 1500 by default. */
  readonly rows?: number
  /** A simulated clock: so many milliseconds pass from one row of `fill` to the next. */
  readonly stepMs?: number
  /** A pool of the application's own. */
  readonly ownPool?: OwnPoolSettings
  /** How long each write to the spool takes; not at all by default. */
  readonly stallMs?: number
}

/** What a worker tells of one of its loggers. */
export type WorkerStats = UsageLoggerStats & {
  /** How long `close()` has taken, without what this process stood still meanwhile. */
  readonly closedInMs?: number
  /** Of the turns of `fill`, in milliseconds. */
  readonly turns?: { readonly p50: number; readonly p99: number }
  /** Writes to the spool so far that took `stallMs`. */
  readonly stalls?: number
}

const settings: WorkerSettings = JSON.parse(process.argv[2] ?? '{}')
const { name, rowsPerSecond = 1500, loggers = 1, closeMs = 25_000 } = settings
const countStalls = settings.stallMs === undefined ? undefined : stallSpool(settings.stallMs)
const pool = settings.ownPool && createOwnPool(settings.ownPool)
const usages = Array.from({ length: loggers }, () => createUsageLogger({ enabled: true, pool, ...settings.options }))
const endings = {
  exit: () => process.exit(3),
  throw: () => {
    throw new Error('nobody catches this')
  },
  'exhaust memory': () => exhaustMemory(),
}
let count = 0

if (settings.does === 'log') await logUntilTold()
else if (settings.does === 'recover') await recover()
else if (settings.does === 'fill') await fill()
else if (settings.does === 'replay') await replay()
else {
  announce(logSome(7))
  if (settings.does === 'exit at once') process.exit(3)
  else setImmediate(endings[settings.does])
}

async function logUntilTold(): Promise<void> {
  const told = listen()
  await Promise.all(usages.map((usage) => logWith(usage, () => told.aborted)))
  await close()
}

/** Obeys what comes on stdin; aborted when it is time to close. Each further signal closes once more. */
function listen(): AbortSignal {
  const told = new AbortController()
  const commands = createInterface(process.stdin)
  commands.on('line', (line) => {
    const [, blockMs] = /^block (\d+)$/.exec(line) ?? []
    if (blockMs === undefined) tellStats()
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(blockMs))
  })
  commands.on('close', () => told.abort())
  const endByOneself = () => {
    if (told.signal.aborted) for (const usage of usages) void usage.flush().then(() => usage.close())
    told.abort()
    commands.close()
  }
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, endByOneself)
  return told.signal
}

async function close(): Promise<void> {
  const startedAt = performance.now()
  const stoodStillMs = watchStandstills()
  await Promise.all(usages.map((usage) => usage.close({ timeoutMs: closeMs })))
  tellStats({ closedInMs: Math.round(performance.now() - startedAt - stoodStillMs()) })
}

/** How long the machine, or others on it, have kept this process from running since: not what it has computed itself. */
function watchStandstills(): () => number {
  const stepMs = 20
  let stoodStillMs = 0
  let lastAt = performance.now()
  let lastUsage = process.cpuUsage()
  const look = () => {
    const pauseMs = performance.now() - lastAt
    const { user, system } = process.cpuUsage(lastUsage)
    const idleMs = pauseMs - (user + system) / 1000
    if (idleMs > 10 * stepMs) stoodStillMs += idleMs
    lastAt += pauseMs
    lastUsage = process.cpuUsage()
    return stoodStillMs
  }
  const timer = setInterval(look, stepMs)
  return () => {
    clearInterval(timer)
    return look()
  }
}

async function logWith(usage: UsageLogger, isTold: () => boolean): Promise<void> {
  const startedAt = performance.now()
  for (let logged = 0; !isTold(); await sleep(Math.random() * 3)) {
    const due = Math.ceil(((performance.now() - startedAt) / 1000) * rowsPerSecond) - logged
    const ids = logSome(Math.min(due, 1 + Math.floor(Math.random() * 5)), usage)
    logged += ids.length
    setImmediate(() => announce(ids))
  }
}

async function fill(): Promise<void> {
  const endSimulation = settings.stepMs && simulateClock(settings.stepMs, settings.rows ?? 0)
  const told = listen()
  const turns: number[] = []
  const ids: string[] = []
  for (let turn = 0; turn < (settings.rows ?? 1500); turn++) {
    const startedAt = performance.now()
    ids.push(...logSome(1))
    await nextTurn()
    turns.push(performance.now() - startedAt)
  }
  if (endSimulation) endSimulation()
  turns.sort((one, other) => one - other)
  const at = (share: number) => turns[Math.floor(turns.length * share)] ?? 0
  announce(ids)
  tellStats({ turns: { p50: at(0.5), p99: at(0.99) }, stalls: countStalls?.() })
  if (!told.aborted) await once(told, 'abort')
  await close()
}

/**
 * It ends at the present, and goes on as time does after the function that is returned is called. Until then only rows
 * move it on: that this machine is busy does not count.
 */
function simulateClock(stepMs: number, rows: number): () => void {
  const real = { now: Date.now, ms: performance.now.bind(performance) }
  const stopped = { now: real.now(), ms: real.ms() }
  let isStopped = true
  Date.now = () => (isStopped ? stopped.now : real.now()) - (rows - count) * stepMs
  performance.now = () => (isStopped ? stopped.ms : real.ms()) + count * stepMs
  return () => {
    isStopped = false
  }
}

async function replay(): Promise<void> {
  const told = listen()
  const ids = Array.from({ length: settings.rows ?? 1500 }, (_, row) => `row-${row}`)
  const shuffled = ids.map((id) => ({ id, at: Math.random() })).sort((one, other) => one.at - other.at)
  for (const { id } of shuffled) {
    usages[0]?.log({ ...varied(Number(id.slice(4))), responseId: id, idempotencyKey: id, timestamp: 1_790_000_000_000 })
    setImmediate(() => announce([id]))
    if (Math.random() < 0.02) await sleep(1)
  }
  if (!told.aborted) await once(told, 'abort')
  await close()
}

function exhaustMemory(): void {
  const kept: number[][] = []
  setInterval(() => {
    const ids = logSome(3)
    setImmediate(() => announce(ids))
    kept.push(Array.from({ length: 50_000 }, (_, index) => index + 0.5))
  }, 1)
}

function logSome(rows: number, usage = usages[0]): string[] {
  const ids = Array.from({ length: Math.max(0, rows) }, () => `${name}-${count++}`)
  for (const responseId of ids) usage?.log({ ...varied(count), responseId })
  return ids
}

/** Rows of several users, models and costs: the daily sums have something to add up. */
function varied(row: number) {
  return {
    modelName: `model-${row % 3}`,
    userEmail: `user${row % 7}@example.com`,
    inputTokens: row % 1000,
    outputTokens: row % 10,
    costEstimate: `0.${String((row * 7919) % 1_000_003).padStart(12, '0')}`,
  }
}

function announce(ids: readonly string[]): void {
  if (ids.length > 0) process.stdout.write(`${ids.join('\n')}\n`)
}

function tellStats(more: Partial<WorkerStats> = {}): void {
  announce(usages.map((usage) => JSON.stringify({ ...usage.stats(), ...more })))
}

async function recover(): Promise<void> {
  announce(['ready'])
  const hasSegments = () => readdirSync(settings.options.spoolDir ?? '').some((name) => name.endsWith('.spool'))
  while (hasSegments()) await sleep(5)
  await close()
}
