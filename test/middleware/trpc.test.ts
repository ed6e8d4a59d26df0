import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTRPCClient, httpBatchStreamLink } from '@trpc/client'
import { initTRPC } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'

async function setUp() {
  const exporter = new MemoryExporter()
  const usage = createUsageLogger({ enabled: true, exporter, logger: console })
  const t = initTRPC.context<{ userEmail?: string }>().create()
  const procedure = t.procedure.use(usage.trpc({ user: ({ ctx }) => ctx.userEmail }))
  const log = () => usage.log({ modelName: 'm', inputTokens: 10, outputTokens: 5 })
  const router = t.router({
    ask: procedure.input(z.object({ pauseMs: z.number() })).mutation(async ({ input }) => {
      await sleep(input.pauseMs)
      log()
      return usage.current()
    }),
    stream: procedure.query(async function* () {
      for (let part = 0; part < 3; part++) {
        await sleep(1)
        log()
        yield usage.current().calls
      }
    }),
    fails: procedure.query(() => {
      log()
      throw new Error('no answer')
    }),
    nested: t.router({ deep: procedure.query(() => log()) }),
  })
  const app = express()
  app.use(
    usage.express({
      session: (req) => req.get('x-session'),
      operation: (req) => req.get('x-operation'),
      skip: (req) => req.get('x-skip') === 'yes',
    }),
  )
  app.use('/trpc', createExpressMiddleware({ router, createContext: ({ req }) => ({ userEmail: req.get('x-user') }) }))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    server.closeAllConnections()
    await usage.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/trpc`
  const client = (headers: Record<string, string>) =>
    createTRPCClient<typeof router>({ links: [httpBatchStreamLink({ url, headers })] })
  return { exporter, usage, client }
}

describe('the tRPC middleware', () => {
  it('says who called, and names the procedure as the operation', async () => {
    const { exporter, usage, client } = await setUp()

    const used = await client({ 'x-user': 'ann@example.com', 'x-session': 's1' }).ask.mutate({ pauseMs: 0 })
    await client({ 'x-user': 'bob@example.com' }).nested.deep.query()
    await usage.flush()

    expect(used).toMatchObject({ calls: 1, totalTokens: 15 })
    expect(exporter.records).toMatchObject([
      { userEmail: 'ann@example.com', sessionId: 's1', operation: 'ask' },
      { userEmail: 'bob@example.com', sessionId: null, operation: 'nested.deep' },
    ])
  })

  it('leaves the operation to the outer context where that names one', async () => {
    const { exporter, usage, client } = await setUp()

    await client({ 'x-operation': 'checkout' }).ask.mutate({ pauseMs: 0 })
    await usage.flush()

    expect(exporter.records).toMatchObject([{ operation: 'checkout', userEmail: 'anonymous' }])
  })

  it('keeps the caller through a streaming procedure, and counts its own request only', async () => {
    const { exporter, usage, client } = await setUp()
    const users = Array.from({ length: 60 }, (_, index) => `user${index}@example.com`)

    const counts = await Promise.all(
      users.map(async (user) => {
        const seen: number[] = []
        for await (const calls of await client({ 'x-user': user }).stream.query()) seen.push(calls)
        return seen
      }),
    )
    await usage.flush()

    expect(counts).toEqual(users.map(() => [1, 2, 3]))
    for (const user of users) {
      expect(exporter.records.filter(({ userEmail }) => userEmail === user)).toHaveLength(3)
    }
  })

  it('records nothing of a procedure inside a request that is skipped', async () => {
    const { usage, client } = await setUp()

    await client({ 'x-user': 'ann@example.com', 'x-skip': 'yes' }).ask.mutate({ pauseMs: 0 })

    expect(usage.stats().accepted).toBe(0)
  })

  it('tells apart the procedures of one batched request', async () => {
    const { exporter, usage, client } = await setUp()
    const batched = client({ 'x-user': 'ann@example.com' })

    const used = await Promise.all([batched.ask.mutate({ pauseMs: 5 }), batched.ask.mutate({ pauseMs: 1 })])
    await usage.flush()

    expect(used.map(({ calls }) => calls)).toEqual([1, 1])
    expect(exporter.records).toHaveLength(2)
  })

  it('passes on the error of a procedure, whose calls are recorded all the same', async () => {
    const { exporter, usage, client } = await setUp()

    const failed = client({ 'x-user': 'ann@example.com' }).fails.query()

    await expect(failed).rejects.toThrow('no answer')
    await usage.flush()
    expect(exporter.records).toMatchObject([{ userEmail: 'ann@example.com', operation: 'fails' }])
  })
})
