import { mkdtempSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedServer } from '../../src/postgres/embedded-server.js'
import { migrate } from '../../src/postgres/migrator.js'
import { benchLogCall, benchTurn } from './log-call.js'
import { printMachine, printTable } from './report.js'
import { benchRowsPerSecond } from './rows-per-second.js'

printMachine()
printTable('one call, n = 15 x 20,000', await benchLogCall())
printTable('one call to the end of its turn of 50, n = 15 x 20,000', await benchTurn())

const dataDirectory = mkdtempSync(join(tmpdir(), 'tokenledger-bench-'))
// Otherwise the account that runs PostgreSQL for root could not enter it.
await chmod(dataDirectory, 0o755)
const server = await startEmbeddedServer({ dataDirectory })
try {
  await migrate(server.connectionString)
  printTable('50,000 rows in batches of 5,000, n = 7', await benchRowsPerSecond(server.connectionString))
} finally {
  await server.stop()
  rmSync(dataDirectory, { recursive: true, force: true })
}
