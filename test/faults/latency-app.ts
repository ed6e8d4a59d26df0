// An Express app each of whose requests records one call: `latency-app.ts <database URL>`; none is recorded without a URL.
// It answers with the id of the row, tells its port on stdout, and closes when its stdin ends.
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createUsageLogger } from '../../src/index.js'

const databaseUrl = process.argv[2]
const usage = createUsageLogger({ enabled: Boolean(databaseUrl), databaseUrl, maxMemoryMb: 128 })
const app = express()
app.use(usage.express({ user: 'ann@example.com' }))
app.get('/', (_request, response) => {
  const responseId = randomUUID()
  usage.log({ modelName: 'm', inputTokens: 1, outputTokens: 1, responseId })
  response.send(responseId)
})
const server = app.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
process.stdin.on('end', async () => {
  server.closeAllConnections()
  server.close()
  await usage.close({ timeoutMs: 60_000 })
})
process.stdin.resume()
