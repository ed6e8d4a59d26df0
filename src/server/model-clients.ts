import type Anthropic from '@anthropic-ai/sdk'
import type OpenAI from 'openai'
import type { UsageLogger } from '../create-usage-logger.js'
import type { DiagnosticLogger } from '../recording/diagnostics.js'

/** The official clients whose keys are set, all of their calls recorded. */
export type ModelClients = { readonly openai?: OpenAI; readonly anthropic?: Anthropic }

/** Which keys the environment has; the clients read them themselves. */
export type ModelKeys = { readonly hasOpenAIKey: boolean; readonly hasAnthropicKey: boolean }

/** Opens them. A client that is not installed is named in the log, and left out. */
export async function openModelClients(
  usage: UsageLogger,
  keys: ModelKeys,
  logger: DiagnosticLogger,
): Promise<ModelClients> {
  const openai = keys.hasOpenAIKey ? await open('openai', () => import('openai'), logger) : undefined
  const anthropic = keys.hasAnthropicKey
    ? await open('@anthropic-ai/sdk', () => import('@anthropic-ai/sdk'), logger)
    : undefined
  return {
    openai: openai && usage.track(new openai.OpenAI()),
    anthropic: anthropic && usage.track(new anthropic.Anthropic()),
  }
}

async function open<Client>(
  name: string,
  load: () => Promise<Client>,
  logger: DiagnosticLogger,
): Promise<Client | undefined> {
  try {
    return await load()
  } catch {
    logger.warn({ package: name }, `the key for ${name} is set, but the package is missing: npm install ${name}`)
    return undefined
  }
}

const chatModels = { openai: 'gpt-4o-mini', anthropic: 'claude-haiku-4-5' } as const
const imageModel = 'gpt-image-1-mini'
const longestAnswer = 1024

/** The text of an answer, piece by piece. Undefined where no client is there to ask. */
export function streamChat(
  { openai, anthropic }: ModelClients,
  message: string,
  signal: AbortSignal,
): AsyncIterable<string> | undefined {
  if (openai) return streamOpenAI(openai, message, signal)
  return anthropic && streamAnthropic(anthropic, message, signal)
}

/** One small image in base64. Undefined where no client is there to ask. */
export async function createImage(
  { openai }: ModelClients,
  prompt: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = await openai?.images.generate(
    { model: imageModel, prompt, size: '1024x1024', quality: 'low' },
    { signal },
  )
  return answer?.data?.[0]?.b64_json
}

async function* streamOpenAI(openai: OpenAI, message: string, signal: AbortSignal): AsyncGenerator<string> {
  const messages = [{ role: 'user' as const, content: message }]
  const request = { model: chatModels.openai, messages, max_completion_tokens: longestAnswer, stream: true as const }
  for await (const { choices } of await openai.chat.completions.create(request, { signal })) {
    const text = choices[0]?.delta.content
    if (text) yield text
  }
}

async function* streamAnthropic(anthropic: Anthropic, message: string, signal: AbortSignal): AsyncGenerator<string> {
  const messages = [{ role: 'user' as const, content: message }]
  const request = { model: chatModels.anthropic, messages, max_tokens: longestAnswer, stream: true as const }
  for await (const event of await anthropic.messages.create(request, { signal })) {
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') yield event.delta.text
  }
}
