// A process that logs, or takes over what others left: `worker.ts <settings as JSON>`. It announces the id of each row on
// stdout one turn of the event loop after it was logged.
import { readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { createUsageLogger, type UsageLogger, type UsageLoggerOptions } from '../../src/index.js'

/**
 * What a worker does. `log`: logs until its stdin ends, then closes, which may take `closeMs`, and tells its stats; a line
 * on stdin asks for them meanwhile. `fill`: logs 1500 rows, tells its stats, and stays. `recover`: waits until the spool is
 * empty, closes, tells its stats.
 */
export type WorkerSettings = {
  readonly name: string
  readonly does: 'log' | 'fill' | 'recover' | 'exit' | 'exit at once' | 'throw'
  readonly options: UsageLoggerOptions
  /** Of each logger; about 1500 by default. */
  readonly rowsPerSecond?: number
  /** How many loggers log side by side, each with these options; 1 by default. */
  readonly loggers?: number
  readonly closeMs?: number
}

const settings: WorkerSettings = JSON.parse(process.argv[2] ?? '{}')
const { name, rowsPerSecond = 1500, loggers = 1, closeMs = 25_000 } = settings
const usages = Array.from({ length: loggers }, () => createUsageLogger({ enabled: true, ...settings.options }))
const endings = {
  exit: () => process.exit(3),
  throw: () => {
    throw new Error('nobody catches this')
  },
}
let count = 0

if (settings.does === 'log') await logUntilTold()
else if (settings.does === 'recover') await recover()
else if (settings.does === 'fill') await fill()
else {
  announce(logSome(7))
  if (settings.does === 'exit at once') process.exit(3)
  else setImmediate(endings[settings.does])
}

async function logUntilTold(): Promise<void> {
  let isTold = false
  const commands = createInterface(process.stdin)
  commands.on('line', tellStats)
  commands.on('close', () => {
    isTold = true
  })
  await Promise.all(usages.map((usage) => logWith(usage, () => isTold)))
  await Promise.all(usages.map((usage) => usage.close({ timeoutMs: closeMs })))
  tellStats()
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
  for (let turn = 0; turn < 1500; turn++) {
    logSome(1)
    await nextTurn()
  }
  tellStats()
  setInterval(() => {}, 60_000)
}

function logSome(rows: number, usage = usages[0]): string[] {
  const ids = Array.from({ length: Math.max(0, rows) }, () => `${name}-${count++}`)
  for (const responseId of ids) usage?.log({ modelName: 'm', inputTokens: 1, outputTokens: 1, responseId })
  return ids
}

function announce(ids: readonly string[]): void {
  if (ids.length > 0) process.stdout.write(`${ids.join('\n')}\n`)
}

function tellStats(): void {
  announce(usages.map((usage) => JSON.stringify(usage.stats())))
}

async function recover(): Promise<void> {
  announce(['ready'])
  const hasSegments = () => readdirSync(settings.options.spoolDir ?? '').some((name) => name.endsWith('.spool'))
  while (hasSegments()) await sleep(5)
  await Promise.all(usages.map((usage) => usage.close()))
  tellStats()
}
