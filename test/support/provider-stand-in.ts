import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createSeededRandom, type SeededRandom } from './seeded-random.js'
import { type ChatDialect, createStandInAnswer, type StandInAnswer, type StandInCounts } from './stand-in-answers.js'
import { createGeminiAnswer } from './stand-in-gemini.js'

/** What the stand-in did for one request to a model. */
export type StandInCall = {
  /** The request's `x-call-id` header: finds the call where the client never learnt the response's id. */
  readonly callId: string | null
  readonly path: string
  readonly requestBody: Readonly<Record<string, unknown>>
  readonly provider: StandInAnswer['provider']
  readonly requestType: StandInAnswer['requestType']
  readonly model: string
  readonly isStream: boolean
  readonly responseId: string | null
  /** The truth: what the call consumed, whether or not the client was told. */
  readonly counts: StandInCounts
  readonly parts: number
  partsSent: number
  /** `disconnected`: the client went away before the last part. */
  outcome: 'answering' | 'complete' | 'refused' | 'failed' | 'disconnected'
}

/** How the stand-in treats one request; by default it answers normally. */
export type StandInBehaviour = {
  /** Refuse with this HTTP status. */
  readonly status?: number
  /** Words of the answer; 3 to 24 by default. */
  readonly words?: number
  /** Pause before the status and the headers; none by default. */
  readonly headDelayMs?: number
  /** Pause before each part; 0 to 2 ms by default. */
  readonly partDelayMs?: number
  /** Break the connection in the middle of the part after this many. */
  readonly cutAfterParts?: number
  /** Report an error inside the stream after this many parts, and end it. */
  readonly errorAfterParts?: number
  /** Leave out the end of the last part of text, and end as if that were all. */
  readonly malformed?: boolean
  /** Send the usage so far in every chunk of a chat completion. */
  readonly cumulativeUsage?: boolean
  /** Whose way of ending a stream of chat completions; OpenAI's by default. */
  readonly dialect?: ChatDialect
}

export type StandInRequest = {
  /** Counts from 0 over all requests to models. */
  readonly index: number
  readonly path: string
  readonly callId: string | null
  readonly body: Readonly<Record<string, unknown>>
}

export type StandInOptions = {
  readonly seed?: number
  readonly behave?: (request: StandInRequest) => StandInBehaviour
}

export type ProviderStandIn = {
  /** Without a slash at the end. OpenAI clients add `/v1`. */
  readonly url: string
  /** In order of arrival. */
  readonly calls: StandInCall[]
  close(): Promise<void>
}

/**
 * A local server that speaks as OpenAI (chat completions, images), Anthropic (messages), Ollama (chat, generate) and
 * Gemini (generateContent) do, whole or streamed, and knows what it counted. Texts, counts, delays and the places where network writes cut through
 * events and characters follow from the seed.
 */
export async function startProviderStandIn(options: StandInOptions = {}): Promise<ProviderStandIn> {
  const { seed = 1, behave } = options
  const calls: StandInCall[] = []
  // It closes no idle connection: a machine that stood still may be about to use it.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    handle(request, response).catch((error) => response.destroy(error))
  })

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://stand-in').pathname
    const body = parseObject(await readText(request))
    const callId = request.headers['x-call-id']?.toString() ?? null
    const behaviour: StandInBehaviour = behave?.({ index: calls.length, path, callId, body }) ?? {}
    const random = createSeededRandom(seed * 7919 + calls.length)
    const { words = random.integer(3, 24), cumulativeUsage = false, dialect } = behaviour
    const question = { path, body, random, words, cumulativeUsage, dialect }
    const answer = createGeminiAnswer(question) ?? createStandInAnswer(question)
    if (answer === undefined)
      return sendJson(response, path.endsWith('/models') ? 200 : 404, { object: 'list', data: [] })
    const call = describeCall({ callId, path, requestBody: body }, answer)
    calls.push(call)
    await deliver({ answer, behaviour, random, call }, response)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Delivery = {
  readonly answer: StandInAnswer
  readonly behaviour: StandInBehaviour
  readonly random: SeededRandom
  readonly call: StandInCall
}

async function deliver({ answer, behaviour, random, call }: Delivery, response: ServerResponse): Promise<void> {
  response.on('close', () => {
    if (call.outcome === 'answering') call.outcome = 'disconnected'
  })
  if (behaviour.headDelayMs !== undefined) await pause(behaviour.headDelayMs)
  if (response.destroyed) return
  if (behaviour.status !== undefined) {
    call.outcome = 'refused'
    return sendJson(response, behaviour.status, {
      error: { message: `refused with ${behaviour.status}`, type: 'refused' },
    })
  }
  response.writeHead(200, { 'content-type': answer.contentType, 'x-request-id': `req_${random.id(12)}` })
  response.flushHeaders()
  for (const part of answer.parts) {
    await pause(behaviour.partDelayMs ?? random.integer(0, 2))
    if (response.destroyed) return
    if (call.partsSent === behaviour.cutAfterParts) return cut(part, response, call)
    if (call.partsSent === behaviour.errorAfterParts) return end(answer.errorPart, response, call, 'failed')
    if (behaviour.malformed && isLastOfText(answer, call)) return end(part.slice(0, -9), response, call, 'failed')
    await writeInPieces(Buffer.from(part), response, random)
    call.partsSent += 1
  }
  if (!response.destroyed) end('', response, call, 'complete')
}

function isLastOfText(answer: StandInAnswer, call: StandInCall): boolean {
  return call.partsSent === Math.max(0, answer.parts.length - 3)
}

async function cut(part: string, response: ServerResponse, call: StandInCall): Promise<void> {
  call.outcome = 'failed'
  response.write(part.slice(0, part.length / 2))
  await pause(5)
  response.destroy()
}

function end(text: string, response: ServerResponse, call: StandInCall, outcome: StandInCall['outcome']): void {
  call.outcome = outcome
  response.end(text)
}

// Most parts go out whole; some are cut at any byte, be it inside a character.
async function writeInPieces(bytes: Buffer, response: ServerResponse, random: SeededRandom): Promise<void> {
  const cuts = random.pick([[], [], [random.integer(1, bytes.length - 1)], cutsOfThree(bytes, random)])
  let start = 0
  for (const position of [...cuts, bytes.length]) {
    if (start > 0) await pause(1)
    if (response.destroyed) return
    response.write(bytes.subarray(start, position))
    start = position
  }
}

function cutsOfThree(bytes: Buffer, random: SeededRandom): number[] {
  return [random.integer(1, bytes.length - 1), random.integer(1, bytes.length - 1)].sort((one, other) => one - other)
}

function describeCall(
  request: Pick<StandInCall, 'callId' | 'path' | 'requestBody'>,
  answer: StandInAnswer,
): StandInCall {
  const { provider, requestType, model, responseId, counts, parts, contentType } = answer
  return {
    ...request,
    provider,
    requestType,
    model: model ?? String(request.requestBody.model ?? ''),
    isStream: !contentType.startsWith('application/json'),
    responseId,
    counts,
    parts: parts.length,
    partsSent: 0,
    outcome: 'answering',
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

// A form (image edits) or nothing at all reads as an object without fields.
function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
