import { afterAll, beforeAll, expect, it } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { extractUsage } from '../../src/extractors/extract-usage.js'
import type { CapturedCall } from '../../src/recording/usage-recorder.js'
import { createArrayRecorder } from '../capture/array-recorder.js'
import {
  addressOf,
  expectedCounts,
  hasRecordings,
  isNoCall,
  loadRecordings,
  loadTruncated,
  type Recording,
  readBody,
  requestOf,
} from './recorded-answers.js'
import { cutIntoPieces, type Replay, type ReplayServer, startReplayServer } from './replay-server.js'

const longestBodyInSevens = 64_000
const longestBodyInOneBytes = 4_000
/** Recordings of providers that have formats of their own and tell no tokens; where they went is not recorded. */
const notCovered = ['elevenlabs', 'fal']
const contentTypes: Readonly<Record<string, string>> = {
  json: 'application/json',
  sse: 'text/event-stream',
  ndjson: 'application/x-ndjson',
  'chunks-jsonl': 'text/event-stream',
}

let server: ReplayServer
beforeAll(async () => {
  server = await startReplayServer()
})
afterAll(() => server.close())

it.skipIf(!hasRecordings)(
  'reads every recorded answer as its counts say, however the network cuts it',
  { timeout: 120_000 },
  async () => {
    const tally = new Map<string, { right: number; wrong: string[]; noCall: number; notCovered: number }>()

    for (const recording of loadRecordings()) {
      const score = tally.get(recording.provider) ?? { right: 0, wrong: [], noCall: 0, notCovered: 0 }
      tally.set(recording.provider, score)
      const isCovered = !notCovered.includes(recording.provider)
      const difference = isCovered ? await findDifference(recording) : null
      if (difference !== null) score.wrong.push(difference)
      else if (!isCovered) score.notCovered += 1
      else if (isNoCall(recording)) score.noCall += 1
      else score.right += 1
    }

    for (const [provider, score] of tally) {
      const { right, wrong, noCall } = score
      console.log(
        `${provider}: ${right} right, ${wrong.length} wrong, ${score.notCovered} not covered, ${noCall} no call`,
      )
    }
    console.log(
      `each in one piece, in pieces of 7 bytes and of 1 byte where the body has at most ${longestBodyInSevens} and ${longestBodyInOneBytes}, and as the network cut it where that is known`,
    )
    expect([...tally.values()].flatMap(({ wrong }) => wrong)).toEqual([])
  },
)

it.skipIf(!hasRecordings)('leaves one row, with what was known, of every recording that is cut off', async () => {
  const recordings = new Map(loadRecordings().map((recording) => [recording.id, recording]))
  const wrong: string[] = []

  for (const { file, derived_from } of loadTruncated()) {
    const whole = recordings.get(derived_from)
    if (!whole) throw new Error(`${file} is of no recording`)
    const { rows } = await replay(whole, { body: readBody({ file }), pieceLengths: [97], breaksOff: true })
    const problem = findProblem(whole, rows)
    if (problem) wrong.push(`${file}: ${problem}`)
  }

  expect(wrong).toEqual([])
})

it.skipIf(!hasRecordings)('reads the lines of batch results that are fetched later', () => {
  const isLine = ({ endpoint, usage_final }: Recording) =>
    ['messages.batch-results', 'file.content'].includes(endpoint) && usage_final !== null
  const recordings = loadRecordings().filter(isLine)

  const last = recordings.map((recording) => readBody(recording).toString().trim().split('\n').at(-1) ?? '')

  expect(recordings.length).toBeGreaterThan(2)
  for (const [index, line] of last.entries()) {
    const { raw, inputTokens, outputTokens } = extractUsage(JSON.parse(line))
    const told = recordings[index]?.usage_final?.value
    expect(raw).toMatchObject({ batch: true })
    expect(inputTokens).toBe(told?.input_tokens ?? told?.prompt_tokens)
    expect(outputTokens).toBe(told?.output_tokens ?? 0)
  }
})

async function findDifference(recording: Recording): Promise<string | null> {
  const body = readBody(recording)
  const expected = isNoCall(recording) ? [] : [expectedCounts(recording)]
  for (const cut of cutsOf(recording, body)) {
    const { rows, lines, received } = await replay(recording, { body, ...cut })
    const read = rows.map(countsOf)
    if (JSON.stringify(read) !== JSON.stringify(expected)) {
      return `${recording.file} in ${JSON.stringify(cut).slice(0, 40)}: ${JSON.stringify(read)}, not ${JSON.stringify(expected)}`
    }
    if (lines.length > 0) return `${recording.file}: ${lines}`
    if (!received?.equals(body)) return `${recording.file}: ${received?.length} bytes passed`
    const problem = rows[0] && findWrongField(recording, rows[0])
    if (problem) return `${recording.file}: ${problem}`
  }
  return null
}

/** On the wire, or again before the capture sees it: the network does not keep apart what is as small as this. */
type Cut = { readonly pieceLengths: readonly number[]; readonly cutAgain?: number }

function cutsOf({ network_chunk_lengths }: Recording, body: Buffer): readonly Cut[] {
  const whole = [body.length]
  return [
    { pieceLengths: whole },
    ...(body.length <= longestBodyInSevens ? [{ pieceLengths: whole, cutAgain: 7 }] : []),
    ...(body.length <= longestBodyInOneBytes ? [{ pieceLengths: whole, cutAgain: 1 }] : []),
    ...(network_chunk_lengths ? [{ pieceLengths: network_chunk_lengths }] : []),
  ]
}

type Passage = Cut & Pick<Replay, 'body' | 'breaksOff'>

async function replay(recording: Recording, { body, pieceLengths, breaksOff, cutAgain }: Passage) {
  const recorder = createArrayRecorder('unknown')
  const contentType = recording.content_type ?? contentTypes[recording.framing] ?? ''
  server.next = { body, pieceLengths, breaksOff, contentType, status: recording.http_status ?? 200 }
  const toServer: typeof fetch = async (input, init) => {
    const response = await fetch(`${server.url}${new URL(String(input)).pathname}`, init)
    if (cutAgain === undefined) return response
    const pieces = cutIntoPieces(new Uint8Array(await response.arrayBuffer()), [cutAgain])
    return new Response(ReadableStream.from(pieces), { status: response.status, headers: response.headers })
  }
  const response = await createCapturingFetch(recorder, toServer)(addressOf(recording), requestOf(recording))
  const received = await response.arrayBuffer().then(
    (bytes) => Buffer.from(bytes),
    () => null,
  )
  return { rows: recorder.rows, lines: recorder.lines, received }
}

function countsOf(row: CapturedCall) {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens } = row
  return [inputTokens, outputTokens, cacheReadTokens ?? 0, cacheWriteTokens ?? 0, reasoningTokens ?? 0]
}

const providerNames: Readonly<Record<string, string>> = {
  'google-gemini': 'gemini',
  'google-vertex': 'vertex',
  'bedrock-mantle': 'bedrock',
  'openai-compatible-local': 'openai',
}

function findWrongField(recording: Recording, row: CapturedCall): string | null {
  const { provider, model, request_model, http_status, tags, derived, endpoint } = recording
  const expectedProvider = providerNames[provider] ?? provider
  // Ollama's and LM Studio's compatible endpoints cannot be told from others by the address.
  if (row.provider !== expectedProvider && provider !== 'ollama') return `provider ${row.provider}`
  const isError = (http_status ?? 200) >= 400 || tags.includes('error-event-in-stream') || tags.includes('error-body')
  if (row.status !== (isError ? 'error' : 'ok')) return `status ${row.status}`
  const isModelTold = !isError && (model ?? request_model) !== null
  if (isModelTold && row.modelName !== (model ?? request_model)) return `model ${row.modelName}`
  if (endpoint === 'images' && derived && row.rawUsage?.input_tokens !== derived.input) return 'the counts of an image'
  return null
}

function findProblem(whole: Recording, rows: readonly CapturedCall[]): string | null {
  const [row] = rows
  if (rows.length !== 1 || !row) return `${rows.length} rows`
  if (row.status !== 'error' && row.status !== 'aborted') return `status ${row.status}`
  const tellsInputFirst = ['messages', 'rawPredict'].includes(whole.endpoint)
  if (tellsInputFirst && row.inputTokens !== whole.derived?.input) return `input ${row.inputTokens}`
  return null
}
