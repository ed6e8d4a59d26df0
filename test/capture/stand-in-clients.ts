import Anthropic from '@anthropic-ai/sdk'
import { Ollama } from 'ollama'
import OpenAI from 'openai'
import { expect, onTestFinished } from 'vitest'
import type { CapturedCall } from '../../src/recording/usage-recorder.js'
import { type StandInBehaviour, type StandInCall, startProviderStandIn } from '../support/provider-stand-in.js'
import { createArrayRecorder } from './array-recorder.js'

/** A question that every chat client takes. */
export const messages = [{ role: 'user' as const, content: 'Wie viele?' }]

/** A stand-in until the test ends, official clients that call it, and a recorder. Each behaviour is for one request. */
export async function startClients(...behaviours: StandInBehaviour[]) {
  const server = await startProviderStandIn({ seed: 11, behave: ({ index }) => behaviours[index] ?? {} })
  onTestFinished(() => server.close())
  const recorder = createArrayRecorder()
  const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' })
  const anthropic = new Anthropic({ baseURL: server.url, apiKey: 'none' })
  const ollama = new Ollama({ host: server.url })
  return { url: server.url, recorder, openai, anthropic, ollama, rows: recorder.rows, calls: server.calls }
}

/** Everything that a stream yields. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

/** Expects the row of a call that ended normally, with what the stand-in counted. */
export function expectCounted(row: CapturedCall | undefined, call: StandInCall | undefined): void {
  expect(row).toMatchObject({
    status: 'ok',
    usageSource: 'provider',
    provider: call?.provider,
    requestType: 'chat',
    modelName: call?.model,
    inputTokens: call?.counts.inputTokens,
    outputTokens: call?.counts.outputTokens,
  })
  expect(row?.responseId ?? null).toBe(call?.responseId)
  expect(row?.durationMs).toBeGreaterThan(0)
  if (call?.isStream) expect(row?.timeToFirstChunkMs).toBeGreaterThan(0)
}
