import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

type Counts = {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly reasoning: number
}

/** An entry of the recordings' manifest, as far as it is used here. */
export type Recording = {
  readonly id: string
  readonly file: string
  readonly provider: string
  readonly endpoint: string
  readonly streaming: boolean
  readonly framing: string
  readonly bytes: number
  readonly model: string | null
  readonly request_model: string | null
  readonly http_status: number | null
  /** When, in any form that `Date.parse` reads. */
  readonly recorded_at: string | null
  readonly content_type: string | null
  readonly host: string | null
  readonly url_path: string | null
  readonly network_chunk_lengths?: readonly number[]
  readonly tags: readonly string[]
  readonly usage_final: { readonly value: Readonly<Record<string, unknown>> } | null
  readonly derived: (Counts & { readonly iterations?: readonly Omit<Counts, 'reasoning'>[] }) | null
}

/** A recording that was cut off, as a connection that broke would have left it. */
export type TruncatedRecording = {
  readonly file: string
  readonly derived_from: string
  readonly mode: 'mid-event' | 'before-final-usage'
}

/** Input, output, cache read, cache write, reasoning. */
export type ExpectedCounts = readonly [number | null, number | null, number, number, number]

const folder = join(import.meta.dirname, '../../../shared/corpus')

/** Whether the recordings are on this machine. They are no part of the project. */
export const hasRecordings = existsSync(join(folder, 'manifest.json'))
if (!hasRecordings) console.log('no recorded answers at ../shared/corpus: they are not replayed')

export function loadRecordings(): readonly Recording[] {
  return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')).recordings
}

export function loadTruncated(): readonly TruncatedRecording[] {
  return JSON.parse(readFileSync(join(folder, '_truncated/manifest.json'), 'utf8'))
}

/** The bytes of a body, as the provider sent them. */
export function readBody({ file, framing }: { readonly file: string; readonly framing?: string }): Buffer {
  const bytes = readFileSync(join(folder, file))
  return framing === 'chunks-jsonl' ? frameEvents(bytes.toString()) : bytes
}

// These recordings hold the data of each event on a line.
function frameEvents(text: string): Buffer {
  const lines = text.split('\n').filter((line) => line !== '')
  return Buffer.from(lines.map((line) => `data: ${line}\n\n`).join(''))
}

const pathsWhereNoneIsRecorded: Readonly<Record<string, string>> = {
  'chat.completions': '/v1/chat/completions',
  responses: '/v1/responses',
  messages: '/v1/messages',
  interactions: '/v1beta/interactions',
  'audio.transcriptions': '/v1/audio/transcriptions',
}
const hostsWhereNoneIsRecorded: Readonly<Record<string, string>> = {
  alibaba: 'dashscope-intl.aliyuncs.com',
  anthropic: 'api.anthropic.com',
  azure: 'mine.openai.azure.com',
  cerebras: 'api.cerebras.ai',
  deepseek: 'api.deepseek.com',
  'google-gemini': 'generativelanguage.googleapis.com',
  groq: 'api.groq.com',
  mistral: 'api.mistral.ai',
  openai: 'api.openai.com',
  perplexity: 'api.perplexity.ai',
  xai: 'api.x.ai',
}

/** The address the recorded request was sent to, or one it could have been sent to. */
export function addressOf({ host, url_path, provider, endpoint }: Recording): string {
  const name = (host ?? hostsWhereNoneIsRecorded[provider] ?? 'host.example').replace('<AWS_REGION>', 'us-east-1')
  return `https://${name}${url_path ?? pathsWhereNoneIsRecorded[endpoint] ?? `/${endpoint}`}`
}

/** What of a request of this endpoint tells its format. */
export function requestOf({ endpoint, provider, request_model, streaming }: Recording): RequestInit {
  const model = request_model ?? 'a-model'
  const method = isFetchedLater(endpoint, streaming) ? 'GET' : 'POST'
  if (method === 'GET') return { method }
  if (endpoint === 'audio.transcriptions') {
    const form = new FormData()
    form.set('model', model)
    return { method, body: form }
  }
  const question =
    endpoint === 'v1/chat' && provider === 'cohere'
      ? { message: 'x' }
      : { messages: [], input: 'x', prompt: 'x', contents: [], documents: [], texts: [] }
  const stream = streaming ? { stream: true, stream_options: { include_usage: true } } : {}
  return { method, body: JSON.stringify({ model, ...question, ...stream }) }
}

function isFetchedLater(endpoint: string, streaming: boolean): boolean {
  const isPolled = endpoint === 'threads.runs' && !streaming
  return isPolled || ['batches', 'file.content', 'messages.batch-results'].includes(endpoint)
}

/** Whether the recording is of no call of a model: something counted, or fetched after the call. */
export function isNoCall({ endpoint, streaming }: Recording): boolean {
  return endpoint === 'count_tokens' || isFetchedLater(endpoint, streaming)
}

const ofCalls: Readonly<Record<string, ExpectedCounts>> = {
  // A negative count is no count.
  e0e7da0e: [0, null, 0, 0, 448],
  // 259 image tokens cannot be a part of 34 input tokens.
  '88f3e48e': [293, 56, 0, 0, 0],
  // The manifest has no counts for these two, and the answers have: of each text, and of the run.
  '839219c3': [3, 0, 0, 0, 0],
  '35a5175e': [380, 90, 0, 0, 0],
}

/** What a row of this recording must hold. The manifest's own normalisation has 0 where a provider says nothing. */
export function expectedCounts(recording: Recording): ExpectedCounts {
  const { id, endpoint, derived, usage_final, provider } = recording
  const own = ofCalls[id.slice(0, 8)]
  if (own) return own
  if (endpoint === 'images') return [1, 1, 0, 0, 0]
  if (derived === null) return [null, null, 0, 0, 0]
  const { input, output, cacheRead, cacheWrite, reasoning, iterations } = derived
  // The manifest leaves out the calls that an Anthropic call made by itself, and lists them.
  if (iterations) return [...sumUp(iterations), reasoning]
  const isInputMissing = provider === 'ollama' && input === 0 && !('prompt_eval_count' in (usage_final?.value ?? {}))
  return [isInputMissing ? null : input, output, cacheRead, cacheWrite, reasoning]
}

function sumUp(parts: readonly Omit<Counts, 'reasoning'>[]): [number, number, number, number] {
  const sum = (name: keyof Omit<Counts, 'reasoning'>) => parts.reduce((total, part) => total + part[name], 0)
  return [sum('input'), sum('output'), sum('cacheRead'), sum('cacheWrite')]
}
