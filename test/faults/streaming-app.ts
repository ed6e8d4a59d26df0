// An Express app whose answers are streams of a model: `streaming-app.ts <settings as JSON>`. It tells its port, and its
// stats when it has ended.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import OpenAI from 'openai'
import { createUsageLogger } from '../../src/index.js'
import { createShutdown, exitOnSignals } from '../../src/server/graceful-shutdown.js'

export type StreamingAppSettings = {
  readonly databaseUrl: string
  readonly providerUrl: string
  /** For requests, then the logger. */
  readonly shutdownMs: number
}

const { databaseUrl, providerUrl, shutdownMs }: StreamingAppSettings = JSON.parse(process.argv[2] ?? '{}')
const usage = createUsageLogger({ enabled: true, databaseUrl })
const client = usage.track(new OpenAI({ apiKey: 'none', baseURL: `${providerUrl}/v1`, maxRetries: 0 }))
const app = express()
app.use(usage.express({ session: (request) => request.header('x-call-id') }))
app.get('/answer', async (request, response) => {
  const stream = await client.chat.completions.create(
    { model: 'gpt-4o', messages: [{ role: 'user', content: 'a question' }], stream: true },
    { headers: { 'x-call-id': request.header('x-call-id') } },
  )
  for await (const chunk of stream) {
    if (response.destroyed) break
    response.write(chunk.choices[0]?.delta.content ?? '')
  }
  response.end()
})

const server = createServer(app).listen(0, '127.0.0.1')
await once(server, 'listening')
exitOnSignals(createShutdown({ server, closers: [close], timeoutMs: shutdownMs, logger: silentLogger() }))
console.log((server.address() as AddressInfo).port)

async function close(): Promise<void> {
  await usage.close()
  console.log(JSON.stringify(usage.stats()))
}

function silentLogger() {
  return { info: () => {}, warn: () => {}, error: () => {} }
}
