// A process that logs, or takes over what others left: `worker.ts <settings as JSON>`. It announces the id of each row on
// stdout one turn of the event loop after it was logged.
import { readdirSync } from 'node:fs'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { createUsageLogger, type UsageLoggerOptions } from '../../src/index.js'

/**
 * What a worker does. `log`: logs until it is killed. `fill`: logs 1500 rows, tells its stats, and stays. `recover`: waits
 * until the spool is empty, closes, tells its stats.
 */
export type WorkerSettings = {
  readonly name: string
  readonly does: 'log' | 'fill' | 'recover' | 'exit' | 'exit at once' | 'throw'
  readonly options: UsageLoggerOptions
}

const settings: WorkerSettings = JSON.parse(process.argv[2] ?? '{}')
const usage = createUsageLogger({ enabled: true, ...settings.options })
const endings = {
  exit: () => process.exit(3),
  throw: () => {
    throw new Error('nobody catches this')
  },
}
let count = 0

if (settings.does === 'log') await logForEver()
else if (settings.does === 'recover') await recover()
else if (settings.does === 'fill') await fill()
else {
  announce(logSome(7))
  if (settings.does === 'exit at once') process.exit(3)
  else setImmediate(endings[settings.does])
}

async function logForEver(): Promise<void> {
  for (;;) {
    const ids = logSome(1 + Math.floor(Math.random() * 5))
    setImmediate(() => announce(ids))
    await sleep(Math.random() * 3)
  }
}

async function fill(): Promise<void> {
  for (let turn = 0; turn < 1500; turn++) {
    logSome(1)
    await nextTurn()
  }
  announce([JSON.stringify(usage.stats())])
  setInterval(() => {}, 60_000)
}

function logSome(rows: number): string[] {
  const ids = Array.from({ length: rows }, () => `${settings.name}-${count++}`)
  for (const responseId of ids) usage.log({ modelName: 'm', inputTokens: 1, outputTokens: 1, responseId })
  return ids
}

function announce(ids: readonly string[]): void {
  process.stdout.write(`${ids.join('\n')}\n`)
}

async function recover(): Promise<void> {
  announce(['ready'])
  const hasSegments = () => readdirSync(settings.options.spoolDir ?? '').some((name) => name.endsWith('.spool'))
  while (hasSegments()) await sleep(5)
  await usage.close()
  announce([JSON.stringify(usage.stats())])
}
