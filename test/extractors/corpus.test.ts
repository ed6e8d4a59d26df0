import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { createArrayRecorder } from '../capture/array-recorder.js'

type Counts = {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly reasoning: number
}
type Recording = {
  readonly file: string
  readonly provider: string
  readonly endpoint: string
  readonly framing: string
  readonly body_origin: string
  readonly tags: readonly string[]
  readonly usage_final: { readonly value: Readonly<Record<string, unknown>> } | null
  readonly derived: Counts | null
}

const corpus = join(import.meta.dirname, '../../../shared/corpus')
const paths: Readonly<Record<string, string>> = {
  'chat.completions': '/v1/chat/completions',
  messages: '/v1/messages',
  'api/chat': '/api/chat',
  'api/generate': '/api/generate',
}
const contentTypes: Readonly<Record<string, string>> = {
  sse: 'text/event-stream',
  ndjson: 'application/x-ndjson',
  json: 'application/json',
  'chunks-jsonl': 'text/event-stream',
}
const isThere = existsSync(join(corpus, 'manifest.json'))
if (!isThere) console.log('no recorded answers at ../shared/corpus: they are not replayed')

it.skipIf(!isThere)(
  'reads every recorded answer of chat completions, Anthropic and Ollama as its counts say',
  async () => {
    const manifest: { recordings: Recording[] } = JSON.parse(readFileSync(join(corpus, 'manifest.json'), 'utf8'))
    const covered = manifest.recordings.filter(({ endpoint, framing }) => endpoint in paths && framing in contentTypes)
    const tally = new Map<string, { right: number; wrong: string[] }>()

    for (const recording of covered) {
      const score = tally.get(recording.provider) ?? { right: 0, wrong: [] }
      tally.set(recording.provider, score)
      for (const chunkLength of [7, 65_536]) {
        const read = await replay(recording, chunkLength)
        if (JSON.stringify(read) === JSON.stringify(expected(recording))) score.right += 1
        else score.wrong.push(`${recording.file}: ${JSON.stringify(read)}, not ${JSON.stringify(expected(recording))}`)
      }
    }

    for (const [provider, { right, wrong }] of tally) console.log(`${provider}: ${right} right, ${wrong.length} wrong`)
    expect([...tally.values()].flatMap(({ wrong }) => wrong)).toEqual([])
  },
)

async function replay({ file, endpoint, framing }: Recording, chunkLength: number) {
  const recorder = createArrayRecorder()
  const bytes = framing === 'chunks-jsonl' ? frameEvents(file) : readFileSync(join(corpus, file))
  const starts = Array.from({ length: Math.ceil(bytes.length / chunkLength) }, (_, index) => index * chunkLength)
  const body = ReadableStream.from(starts.map((start) => bytes.subarray(start, start + chunkLength)))
  const headers = { 'content-type': contentTypes[framing] ?? '' }
  const capturingFetch = createCapturingFetch(recorder, async () => new Response(body, { headers }))
  const request = { method: 'POST', body: JSON.stringify({ model: 'm', messages: [] }) }

  await (await capturingFetch(`https://host.example${paths[endpoint]}`, request)).arrayBuffer()

  expect(recorder.rows).toHaveLength(1)
  const [row] = recorder.rows
  return [
    row?.inputTokens,
    row?.outputTokens,
    row?.cacheReadTokens ?? 0,
    row?.cacheWriteTokens ?? 0,
    row?.reasoningTokens ?? 0,
  ]
}

// These recordings hold the data of each event on a line.
function frameEvents(file: string): Buffer {
  const lines = readFileSync(join(corpus, file), 'utf8').split('\n')
  return Buffer.from(
    lines
      .filter((line) => line !== '')
      .map((line) => `data: ${line}\n\n`)
      .join(''),
  )
}

// The recordings' own normalisation has 0 where a provider says nothing.
function expected({ provider, derived, usage_final }: Recording) {
  if (derived === null) return [null, null, 0, 0, 0]
  const isInputMissing =
    provider === 'ollama' && derived.input === 0 && !('prompt_eval_count' in (usage_final?.value ?? {}))
  return [
    isInputMissing ? null : derived.input,
    derived.output,
    derived.cacheRead,
    derived.cacheWrite,
    derived.reasoning,
  ]
}
