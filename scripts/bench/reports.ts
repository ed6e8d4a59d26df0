import { mkdtempSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startEmbeddedServer } from '../../src/postgres/embedded-server.js'
import { migrate } from '../../src/postgres/migrator.js'
import { printMachine, printTable } from './report.js'
import { timePage } from './time-page.js'
import { timeReports } from './time-reports.js'
import { fillUsageRows } from './usage-rows.js'

const { values } = parseArgs({ options: { rows: { type: 'string', default: '10000000' } } })
const rows = Number(values.rows)
if (!Number.isInteger(rows) || rows < 1) throw new Error(`--rows is ${values.rows}, which is not a number of rows`)

printMachine()
const dataDirectory = mkdtempSync(join(tmpdir(), 'tokenledger-bench-'))
// Otherwise the account that runs PostgreSQL for root could not enter it.
await chmod(dataDirectory, 0o755)
const server = await startEmbeddedServer({ dataDirectory, settings: { max_wal_size: '8GB' } })
try {
  await migrate(server.connectionString)
  await fill(server.connectionString)
  const title = `${rows.toLocaleString('en')} rows, 1,000 users, 90 days, n = 7`
  printTable(title, await timeReports(server.connectionString), ['median', 'least'])
  printTable(`${title}, in Chromium`, await timePage(server.connectionString), ['median', 'least'])
} finally {
  await server.stop()
  rmSync(dataDirectory, { recursive: true, force: true })
}

async function fill(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const start = performance.now()
  await fillUsageRows(client, { rows, users: 1000, days: 90, seed: 0.5 })
  console.log(`filled in ${Math.round((performance.now() - start) / 1000)} s`)
  await client.end()
}
