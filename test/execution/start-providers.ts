import Anthropic from '@anthropic-ai/sdk'
import { Ollama } from 'ollama'
import OpenAI from 'openai'
import { onTestFinished } from 'vitest'
import {
  type AIProvider,
  createClaudeProvider,
  createOllamaProvider,
  createOpenAIProvider,
  createUsageLogger,
  MemoryExporter,
  type UsageLogger,
  type UsageRecord,
} from '../../src/index.js'
import { type StandInBehaviour, startProviderStandIn } from '../support/provider-stand-in.js'

/** The names under which the three providers of a test are found, and under which their rows are. */
export const providerNames = ['openai', 'anthropic', 'ollama'] as const

type Setup = {
  /** How the stand-in treats every request. */
  readonly behaviour?: StandInBehaviour
  /** The clients' own fetch. */
  readonly fetch?: typeof fetch
}

/** A stand-in, a usage logger in memory, official clients that do not retry, and a provider over each; until the test ends. */
export async function startProviders({ behaviour = {}, fetch: ownFetch = fetch }: Setup = {}) {
  const standIn = await startProviderStandIn({ seed: 23, behave: () => behaviour })
  onTestFinished(() => standIn.close())
  const { usage, lines, rows } = startLogger()
  const common = { apiKey: 'key-canary', maxRetries: 0, fetch: ownFetch }
  const clients = {
    openai: new OpenAI({ ...common, baseURL: `${standIn.url}/v1` }),
    anthropic: new Anthropic({ ...common, baseURL: standIn.url }),
    ollama: new Ollama({ host: standIn.url, fetch: ownFetch }),
  }
  const providers: Record<(typeof providerNames)[number], AIProvider> = {
    openai: createOpenAIProvider(clients.openai, { model: 'gpt-5', usage }),
    anthropic: createClaudeProvider(clients.anthropic, { model: 'claude-sonnet-5-5', usage }),
    ollama: createOllamaProvider(clients.ollama, { model: 'llama3.2', usage }),
  }
  return { url: standIn.url, calls: standIn.calls, usage, lines, rows, clients, providers }
}

/** A `fetch` that hands the JSON of each good answer to `change` before the client reads it. */
export function changing(change: (document: Record<string, unknown>) => object): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    return Response.json(change((await response.json()) as Record<string, unknown>))
  }
}

function startLogger() {
  const lines: string[] = []
  const write = (fields: object, message: string) => {
    lines.push(JSON.stringify([fields, message]))
  }
  const logger = { info: write, warn: write, error: write }
  const exporter = new MemoryExporter()
  const usage: UsageLogger = createUsageLogger({ enabled: true, exporter, logger })
  onTestFinished(() => usage.close())
  const rows = async (): Promise<readonly UsageRecord[]> => {
    await usage.flush()
    return exporter.records
  }
  return { usage, lines, rows }
}
