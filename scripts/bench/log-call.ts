import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import pino from 'pino'
import { createUsageLogger, MemoryExporter, type UsageLogger } from '../../src/index.js'
import { median, type Row } from './report.js'

const calls = 20_000
const rounds = 15
const callsPerTurn = 50

const entry = {
  modelName: 'gpt-4o-mini',
  inputTokens: 1500,
  outputTokens: 350,
  userEmail: 'ann@example.com',
  requestType: 'chat',
  sessionId: 'session-1234',
  provider: 'openai',
}

/** Nanoseconds of one `log()` on the request path, beside pino's `info()` of the same fields into a file. */
export async function benchLogCall(): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tokenledger-bench-'))
  const file = pino.destination({ dest: join(directory, 'log'), sync: false })
  const logger = pino(file)
  const usage = createUsageLogger({
    enabled: true,
    exporter: new ForgetfulExporter(),
    batchSize: calls * 2,
    maxBatchSize: calls * 2,
    maxMemoryMb: 1024,
  })
  const figures = { log: [] as number[], pino: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    figures.log.push(nanosecondsPer(() => usage.log(entry)))
    await usage.flush()
    figures.pino.push(nanosecondsPer(() => logger.info(entry, 'usage')))
    await nextTurn()
  }
  await usage.close()
  await new Promise<void>((resolve) => file.flush(() => resolve()))
  rmSync(directory, { recursive: true })
  const [log, info] = [median(figures.log), median(figures.pino)]
  return [
    { what: 'usage.log()', figure: `${log.toFixed(0)} ns`, ratio: (log / info).toFixed(3) },
    { what: 'pino info() to a file, async', figure: `${info.toFixed(0)} ns`, ratio: '1' },
  ]
}

/** Microseconds of one `log()` and of all that follows until the end of its turn, with and without a copy on disk. */
export async function benchTurn(): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tokenledger-bench-'))
  const settings = { enabled: true, batchSize: calls * 2, maxBatchSize: calls * 2, maxMemoryMb: 1024 }
  const memory = createUsageLogger({ ...settings, exporter: new ForgetfulExporter() })
  const spool = createUsageLogger({
    ...settings,
    exporter: new ForgetfulExporter(),
    spoolDir: join(directory, 'spool'),
  })
  const figures = { memory: [] as number[], spool: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    figures.memory.push(await microsecondsPerTurnCall(memory))
    figures.spool.push(await microsecondsPerTurnCall(spool))
  }
  await memory.close()
  await spool.close()
  rmSync(directory, { recursive: true })
  const [without, withSpool] = [median(figures.memory), median(figures.spool)]
  return [
    { what: 'log(), in memory only', figure: `${without.toFixed(2)} us`, ratio: '1' },
    {
      what: 'log(), and its copy in the spool',
      figure: `${withSpool.toFixed(2)} us`,
      ratio: (withSpool / without).toFixed(1),
    },
  ]
}

async function microsecondsPerTurnCall(usage: UsageLogger): Promise<number> {
  const start = process.hrtime.bigint()
  for (let turn = 0; turn < calls / callsPerTurn; turn++) {
    for (let index = 0; index < callsPerTurn; index++) usage.log(entry)
    await nextTurn()
  }
  const nanoseconds = Number(process.hrtime.bigint() - start)
  await usage.flush()
  return nanoseconds / calls / 1000
}

class ForgetfulExporter extends MemoryExporter {
  override async export(): Promise<void> {}
}

function nanosecondsPer(call: () => void): number {
  const start = process.hrtime.bigint()
  for (let index = 0; index < calls; index++) call()
  return Number(process.hrtime.bigint() - start) / calls
}
