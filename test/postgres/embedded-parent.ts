// Starts an embedded server as an application would: `embedded-parent.ts <data directory> <behaviour>`.
import pg from 'pg'
import { startEmbeddedServer } from '../../src/postgres/embedded-server.js'

const [dataDirectory = '', behaviour = 'wait'] = process.argv.slice(2)
const server = await startEmbeddedServer({ dataDirectory })

if (behaviour === 'drain on a signal') {
  const drain = async () => {
    await new Promise((resolve) => setTimeout(resolve, 300))
    const client = new pg.Client(server.connectionString)
    await client.connect()
    await client.query('create table drained ()')
    await client.end()
    process.exit(7)
  }
  process.on('SIGINT', drain).on('SIGTERM', drain)
}
if (behaviour !== 'end without stopping') setInterval(() => {}, 60_000)

process.stdout.write(`${JSON.stringify({ connectionString: server.connectionString, isOwner: server.isOwner })}\n`)
