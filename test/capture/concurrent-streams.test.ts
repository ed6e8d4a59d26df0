import { getEventListeners, once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Anthropic from '@anthropic-ai/sdk'
import express from 'express'
import OpenAI from 'openai'
import PQueue from 'p-queue'
import { expect, it, onTestFinished } from 'vitest'
import { createUsageLogger, MemoryExporter, type UsageLogger, type UsageRecord } from '../../src/index.js'
import { type ProviderStandIn, startProviderStandIn } from '../support/provider-stand-in.js'
import { createSeededRandom } from '../support/seeded-random.js'
import { answering, post } from './capture-setup.js'
import { messages } from './stand-in-clients.js'

const quiet = { info: () => {}, warn: () => {}, error: () => {} }
const megabyte = 1024 * 1024

class ForgetfulExporter extends MemoryExporter {
  readonly rows: UsageRecord[] = []

  override async export(records: readonly UsageRecord[]): Promise<void> {
    this.rows.push(...records)
  }
}

it('leaves one row for each of 2,000 streams, with its own user, however they end, and nothing behind', async () => {
  const app = await startApp()

  const first = await drive(app, 'first')
  const second = await drive(app, 'second')

  for (const { rows, calls, users } of [first, second]) {
    expect(rows.map((row) => row.userEmail).sort()).toEqual(users.sort())
    for (const row of rows) if (row.responseId) expect(calls.get(row.responseId)).toBe(row.userEmail)
    const statuses = rows.map((row) => row.status)
    expect(statuses.filter((status) => status === 'ok').length).toBeGreaterThan(200)
    expect(statuses.filter((status) => status === 'aborted').length).toBeGreaterThan(200)
    expect(statuses).not.toContain('error')
  }
  expect(second.listeners).toEqual(first.listeners)
  // Connections that are kept open hold something for some seconds more.
  await expect.poll(() => (heapAfterCollection() - first.heapBytes) / megabyte).toBeLessThan(4)
}, 180_000)

it('adds nothing to a signal that a thousand calls share', async () => {
  const warnings: Error[] = []
  const listen = (warning: Error) => warnings.push(warning)
  process.on('warning', listen)
  onTestFinished(() => void process.off('warning', listen))
  const { usage, url: _url, standIn } = await startApp()
  const { signal } = new AbortController()
  const request = post({ model: 'm', messages, stream: true }, signal)
  const still = createUsageLogger({
    enabled: true,
    exporter: new MemoryExporter(),
    logger: quiet,
    fetch: answering('{}'),
  })
  onTestFinished(() => still.close())

  for (let call = 0; call < 1000; call++) {
    await (await still.fetch('https://host.example/v1/messages', request)).text()
  }
  const listeners = getEventListeners(signal, 'abort').length
  const calls = new PQueue({ concurrency: 50 })
  for (let call = 0; call < 1000; call++) {
    calls.add(async () => (await usage.fetch(`${standIn.url}/v1/messages`, request)).text())
  }
  await calls.onIdle()

  expect(listeners).toBe(0)
  expect(usage.stats().accepted).toBe(1000)
  expect(warnings).toEqual([])
}, 60_000)

/** A thousand users, a hundred at a time, and what is left when all are served. */
async function drive({ usage, exporter, url, standIn, started }: Awaited<ReturnType<typeof startApp>>, name: string) {
  const random = createSeededRandom(2000)
  const clients = new PQueue({ concurrency: 100 })
  for (let user = 0; user < 1000; user++) clients.add(() => askAs(`${name}-${user}`, url, random.integer(-3, 8)))
  await clients.onIdle()
  await expect.poll(() => standIn.calls.every(({ outcome }) => outcome !== 'answering')).toBe(true)
  await expect.poll(() => usage.stats().accepted - usage.stats().written + exporter.rows.length).toBe(started.size)
  await usage.flush()
  const calls = new Map(standIn.calls.splice(0).map(({ responseId, model }) => [responseId, model]))
  const rows = exporter.rows.splice(0).map(({ userEmail, status, responseId }) => ({ userEmail, status, responseId }))
  const users = [...started]
  started.clear()
  return { rows, calls, users, listeners: countListeners(), heapBytes: heapAfterCollection() }
}

/** An app with a streaming route that gives its model up when its client is gone. */
async function startApp() {
  const standIn = await startProviderStandIn({ seed: 3, behave: () => ({ words: 4, partDelayMs: 1 }) })
  const exporter = new ForgetfulExporter()
  const usage = createUsageLogger({ enabled: true, exporter, logger: quiet })
  const started = new Set<string>()
  const app = express()
  app.use(usage.express({ user: (request) => request.headers['x-user']?.toString() }))
  app.get('/', createRoute(usage, standIn, started))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => close(server, usage, standIn))
  return { usage, exporter, standIn, started, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function close(server: Server, usage: UsageLogger, standIn: ProviderStandIn): Promise<void> {
  server.close()
  server.closeAllConnections()
  await usage.close()
  await standIn.close()
}

// The model is named after the user, so that the stand-in's call can be told from all others.
function createRoute(usage: UsageLogger, standIn: ProviderStandIn, started: Set<string>): express.RequestHandler {
  const openai = usage.track(new OpenAI({ baseURL: `${standIn.url}/v1`, apiKey: 'none', maxRetries: 0 }))
  const anthropic = usage.track(new Anthropic({ baseURL: standIn.url, apiKey: 'none', maxRetries: 0 }))
  return async (request, response) => {
    const model = String(request.headers['x-user'])
    const abort = new AbortController()
    response.on('close', () => abort.abort())
    started.add(model)
    const options = { signal: abort.signal }
    try {
      const stream =
        model.charCodeAt(model.length - 1) % 2 === 0
          ? await openai.chat.completions.create({ model, messages, stream: true }, options)
          : await anthropic.messages.create({ model, messages, max_tokens: 9, stream: true }, options)
      for await (const item of stream) response.write(`${JSON.stringify(item)}\n`)
    } catch {
      // The client is gone.
    }
    response.end()
  }
}

/** Reads so many pieces of the answer and goes away; all of it where it has fewer, and nothing of it below 0. */
async function askAs(user: string, url: string, pieces: number): Promise<void> {
  const abort = new AbortController()
  const leaving = pieces < 0 ? setTimeout(() => abort.abort(), -pieces) : undefined
  try {
    const response = await fetch(url, { headers: { 'x-user': user }, signal: abort.signal })
    let left = pieces
    for await (const _piece of response.body ?? []) if (pieces >= 0 && left-- === 0) break
  } catch {
    // As planned.
  }
  clearTimeout(leaving)
}

function countListeners(): object {
  const names = [...process.eventNames(), 'SIGTERM', 'SIGINT', 'beforeExit', 'exit', 'warning']
  return Object.fromEntries(names.map((name) => [String(name), process.listenerCount(name as string)]))
}

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  collect()
  collect()
  return process.memoryUsage().heapUsed
}
