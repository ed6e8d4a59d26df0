import { createTRPCClient, httpBatchStreamLink } from '@trpc/client'
import PQueue from 'p-queue'
import type { DemoRouter } from './app.js'
import type { PlannedCall } from './call-plan.js'

export type TrafficOptions = {
  /** Where the app listens, without a slash at the end. */
  readonly url: string
  /** Ends the traffic: open requests are broken off, and the promise rejects. */
  readonly signal: AbortSignal
  readonly onCallEnded: () => void
}

/** Does with one call what its user does. */
type Driver = (call: PlannedCall, signal: AbortSignal) => Promise<void>

const concurrency = 12
/** What is read of an answer before its user goes, and what the app lets through before it stops the model. */
const piecesBeforeBreak = 4

/** Makes all planned calls through the app, a dozen at a time. Rejects when one of them is not answered as it should be. */
export async function driveTraffic(plan: readonly PlannedCall[], options: TrafficOptions): Promise<void> {
  const { url, signal, onCallEnded } = options
  const drivers = { express: createFetchDriver(url), trpc: createTrpcDriver(url) }
  const queue = new PQueue({ concurrency })
  const makeCall = async (call: PlannedCall) => {
    await drivers[call.via](call, signal)
    onCallEnded()
  }
  try {
    await Promise.all(plan.map((call) => queue.add(() => makeCall(call), { signal })))
  } finally {
    queue.clear()
    await queue.onIdle()
  }
}

function createFetchDriver(url: string): Driver {
  return async (call, signal) => {
    const response = await fetch(`${url}/${call.kind === 'image' ? 'images' : `chat/${call.provider}`}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headersOf(call) },
      body: JSON.stringify(questionOf(call)),
      signal,
    })
    if (!response.ok || !response.body) throw new Error(`the app answered with status ${response.status}`)
    await read(response.body, call)
  }
}

function createTrpcDriver(url: string): Driver {
  // Of one call each: a batch would be one request, and the calls of different users are different requests.
  const link = httpBatchStreamLink({
    url: `${url}/trpc`,
    maxItems: 1,
    headers: ({ opList }) => headersOf(opList[0].context.call as PlannedCall),
  })
  const { chat } = createTRPCClient<DemoRouter>({ links: [link] })
  return async (call, signal) => {
    const question = { ...questionOf(call), provider: call.provider }
    if (call.kind !== 'stream') return void (await chat.ask.mutate(question, { signal, context: { call } }))
    // Leaving the loop does not end the request, its signal does.
    const leave = new AbortController()
    const options = { signal: AbortSignal.any([signal, leave.signal]), context: { call } }
    await read(await chat.tell.mutate(question, options), call)
    leave.abort()
  }
}

function headersOf({ user, id }: PlannedCall): Record<string, string> {
  return { 'x-user': user, 'x-session': id }
}

function questionOf({ model, prompt, kind, brokenOffBy }: PlannedCall) {
  return { model, prompt, stream: kind === 'stream', maxPieces: brokenOffBy === 'app' ? piecesBeforeBreak : undefined }
}

/** Reads an answer to its end, or the user's part of it. */
async function read(answer: AsyncIterable<unknown>, { brokenOffBy }: PlannedCall): Promise<void> {
  let pieces = 0
  for await (const _piece of answer) {
    pieces += 1
    if (brokenOffBy === 'user' && pieces === piecesBeforeBreak) return
  }
}
