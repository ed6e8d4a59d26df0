import Anthropic from '@anthropic-ai/sdk'
import { createTRPCClient, httpBatchStreamLink } from '@trpc/client'
import express from 'express'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'
import { type ChatRouter, createChat } from '../../src/server/chat.js'
import type { ModelClients } from '../../src/server/model-clients.js'
import type { Viewer } from '../../src/server/viewer.js'
import { type ProviderStandIn, type StandInBehaviour, startProviderStandIn } from '../support/provider-stand-in.js'
import { serve } from './serve.js'

const ann: Viewer = { role: 'user', user: 'ann@example.com' }
const json = { 'Content-Type': 'application/json' }
let standIn: ProviderStandIn

beforeAll(async () => {
  standIn = await startProviderStandIn({ behave: ({ body }) => behaviourFor(JSON.stringify(body)) })
})
afterAll(() => standIn.close())

describe.each(['openai', 'anthropic'] as const)('a chat with %s', (provider) => {
  it('is streamed as text, and is a row of who is signed in', async () => {
    const { url, records } = await start(ann, provider)

    const response = await fetch(`${url}/chat`, { method: 'POST', headers: json, body: '{"message":"hello"}' })
    const text = await response.text()

    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
    expect(text.split(' ').length).toBeGreaterThan(10)
    expect(await records(1)).toMatchObject([
      { provider, userEmail: 'ann@example.com', status: 'ok', usageSource: 'provider' },
    ])
  })

  it('is streamed by tRPC as well, with the procedure as the operation', async () => {
    const { url, records } = await start(ann, provider)
    const client = createTRPCClient<ChatRouter>({ links: [httpBatchStreamLink({ url: `${url}/chat/trpc` })] })

    let text = ''
    for await (const piece of await client.chat.mutate({ message: 'hello' })) text += piece

    expect(text.split(' ').length).toBeGreaterThan(10)
    expect(await records(1)).toMatchObject([
      { provider, userEmail: 'ann@example.com', operation: 'chat', status: 'ok' },
    ])
  })

  it('is broken off at the provider when the reader goes away', async () => {
    const { url, records } = await start(ann, provider)
    const leave = new AbortController()

    const response = await fetch(`${url}/chat`, {
      method: 'POST',
      headers: json,
      body: '{"message":"a long story"}',
      signal: leave.signal,
    })
    await response.body?.getReader().read()
    leave.abort()

    expect(await records(1)).toMatchObject([{ status: 'aborted', userEmail: 'ann@example.com' }])
  })
})

describe('an image', () => {
  it('is a row that counts one and one, and comes with what the request has used', async () => {
    const { url, records } = await start({ role: 'admin' }, 'openai')

    const response = await fetch(`${url}/image`, { method: 'POST', headers: json, body: '{"prompt":"a boat"}' })

    expect(await response.json()).toMatchObject({ usage: { calls: 1, inputTokens: 1, outputTokens: 1 } })
    expect(await records(1)).toMatchObject([{ requestType: 'image', userEmail: 'admin', usageSource: 'fixed' }])
  })
})

describe('a provider that fails', () => {
  it('is told by tRPC without its own words', async () => {
    const { url } = await start(ann, 'openai')

    const response = await fetch(`${url}/chat/trpc/image`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ prompt: 'refuse' }),
    })
    const text = await response.text()

    expect(text).toContain('the model did not answer')
    expect(text).not.toMatch(/stack|429|refuse/)
  })
})

describe('what cannot be', () => {
  it.each([
    ['nobody', undefined, 'openai', '{"message":"hello"}', 401],
    ['no client', ann, undefined, '{"message":"hello"}', 503],
    ['no message', ann, 'openai', '{}', 400],
    ['a provider that refuses', ann, 'openai', '{"message":"refuse"}', 502],
  ] as const)('is answered with what is wrong: %s', async (_what, viewer, provider, body, status) => {
    const { url } = await start(viewer, provider)

    const response = await fetch(`${url}/chat`, { method: 'POST', headers: json, body })

    expect([response.status, Object.keys((await response.json()) as object)]).toEqual([status, ['error']])
  })
})

function behaviourFor(question: string): StandInBehaviour {
  if (question.includes('refuse')) return { status: 429 }
  // Longer than it takes anybody to go away.
  return { words: question.includes('a long story') ? 5000 : 20, partDelayMs: 5 }
}

async function start(viewer: Viewer | undefined, provider: keyof ModelClients | undefined) {
  const exporter = new MemoryExporter()
  const usage = createUsageLogger({ enabled: true, exporter, logger: { info() {}, warn() {}, error() {} } })
  onTestFinished(() => usage.close({ timeoutMs: 0 }))
  const options = { apiKey: 'test', maxRetries: 0 }
  const clients: ModelClients = {
    openai: provider === 'openai' ? usage.track(new OpenAI({ ...options, baseURL: `${standIn.url}/v1` })) : undefined,
    anthropic: provider === 'anthropic' ? usage.track(new Anthropic({ ...options, baseURL: standIn.url })) : undefined,
  }
  const url = await serve(express().use(createChat({ usage, clients, findViewer: () => viewer })))
  const records = async (count: number) => {
    await expect
      .poll(async () => {
        await usage.flush()
        return exporter.records
      })
      .toHaveLength(count)
    return exporter.records
  }
  return { url, records }
}
