import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { startEmbeddedServer } from '../../src/postgres/embedded-server.js'
import { migrate } from '../../src/postgres/migrator.js'
import { printMachine, printTable, type Row } from './report.js'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const sizes = [1000, 100_000, 1_000_000]

printMachine()
const directory = mkdtempSync(join(tmpdir(), 'tokenledger-bench-'))
// Otherwise the account that runs PostgreSQL for root could not enter it.
await chmod(directory, 0o755)
const server = await startEmbeddedServer({ dataDirectory: join(directory, 'data') })
try {
  await migrate(server.connectionString)
  for (const rows of sizes) {
    printTable(`${rows.toLocaleString('en')} rows, n = 1`, await benchHistory(rows), ['time and memory'])
  }
} finally {
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
}

/** Seconds and the most memory that each command takes as a process of its own, for so many rows. */
async function benchHistory(rows: number): Promise<Row[]> {
  const client = new pg.Client({ connectionString: server.connectionString })
  await client.connect()
  await client.query('drop table if exists prompts, quotas, llm_messages')
  await client.query('truncate token_usage_logs')
  await client.query(
    `create table prompts as
    select n as id, 'user-' || n % 50000 as user_id, repeat('word ', 50 + n % 100) as prompt, 0 as tokens_used,
      timestamptz '2025-01-01Z' + n * interval '10 seconds' as timestamp
    from generate_series(1, $1::int) as n`,
    [rows],
  )
  await client.query('alter table prompts add primary key (id)')
  await client.query(`create table quotas as select distinct user_id, 0 as used_today from prompts`)
  await client.query('alter table quotas add primary key (user_id)')
  await client.query(
    `create table llm_messages as
    select n as id, (array['user', 'assistant', 'system'])[1 + n % 3] as role, n % 4000 as "tokenCount",
      (n % 4000) * 0.000001 as "tokenCost"
    from generate_series(1, $1::int) as n`,
    [rows],
  )
  await client.end()
  const file = join(directory, 'calls.ndjson')
  await pipeline(Readable.from(lines(rows)), createWriteStream(file))
  const fill = ['--table', 'prompts', '--tokens-column', 'tokens_used', '--quota-table', 'quotas', '--yes']
  return [
    await measure('split-counts --drop-old', ['split-counts', '--table', 'llm_messages', '--drop-old', '--yes']),
    await measure('backfill --into-log, with quotas', ['backfill', ...fill, '--into-log']),
    await measure('import of NDJSON', ['import', file]),
    await measure('the same import again', ['import', file]),
  ]
}

function* lines(rows: number): Generator<string> {
  for (let n = 0; n < rows; n++) {
    const timestamp = new Date(Date.UTC(2025, 0, 1) + n * 10_000)
    const call = {
      timestamp,
      user_email: `user-${n % 5000}@example.com`,
      model_name: `m${n % 20}`,
      cost_estimate: '0.001',
    }
    yield `${JSON.stringify({ ...call, input_tokens: n % 3000, output_tokens: n % 700 })}\n`
  }
}

async function measure(what: string, args: string[]): Promise<Row> {
  const start = performance.now()
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    env: { PATH: process.env.PATH, DATABASE_URL: server.connectionString },
    stdio: 'ignore',
  })
  let peakKb = 0
  const poll = setInterval(() => {
    peakKb = Math.max(peakKb, peakMemoryKb(child.pid))
  }, 50)
  const [code] = await once(child, 'exit')
  clearInterval(poll)
  if (code !== 0) throw new Error(`${what} ended with ${code}`)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  return { what, figure: `${seconds} s, ${Math.round(peakKb / 1024)} MB at most`, ratio: '' }
}

function peakMemoryKb(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
