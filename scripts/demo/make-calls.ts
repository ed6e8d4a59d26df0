import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createProgress } from '../../src/cli/progress.js'
import {
  type ProviderStandIn,
  type StandInRequest,
  startProviderStandIn,
} from '../../test/support/provider-stand-in.js'
import { createDemoApp } from './app.js'
import type { PlannedCall } from './call-plan.js'
import type { CountedCall } from './compare.js'
import { driveTraffic } from './traffic.js'

export type CallOptions = {
  readonly databaseUrl: string
  /** Told what goes wrong and how it ended, in a few words. */
  readonly report: (message: string) => void
  /** Breaks everything off; the rows of what was called so far are written, and the promise rejects. */
  readonly signal: AbortSignal
}

/** Longer than it takes anybody to break it off. */
const longAnswer = { words: 500, partDelayMs: 5 }

/** Makes the planned calls through the app to a stand-in for all providers, and returns what that counted. */
export async function makeCalls(plan: readonly PlannedCall[], options: CallOptions): Promise<CountedCall[]> {
  const { databaseUrl, report, signal } = options
  const planned = new Map(plan.map((call) => [call.id, call]))
  const standIn = await startProviderStandIn({
    behave: ({ body }) => (planned.get(findId(body))?.brokenOffBy ? longAnswer : {}),
  })
  const tell = (_fields: object, message: string) => report(message)
  const logger = { info: () => {}, warn: tell, error: tell }
  const { app, usage } = createDemoApp(standIn.url, { enabled: true, databaseUrl, logger })
  const server = app.listen(0, '127.0.0.1')
  const answers = watchAnswers(server)
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const progress = createProgress('calls')
  let ended = 0
  try {
    await driveTraffic(plan, { url, signal, onCallEnded: () => progress.report(++ended, plan.length) })
  } finally {
    progress.end()
    await endCalls({ server, answers, standIn })
    await usage.close()
    await standIn.close()
    if (signal.aborted) report(`broken off; ${usage.stats().written} rows were written`)
  }
  return standIn.calls.map((call) => {
    const id = findId(call.requestBody)
    return { ...call, id, user: planned.get(id)?.user ?? 'nobody' }
  })
}

/** The id of the planned call that a request to a model belongs to. */
function findId({ messages, prompt }: StandInRequest['body']): string {
  const text = Array.isArray(messages) ? messages[0]?.content : prompt
  return String(text).split(':')[0] ?? ''
}

/** One promise for each answer that is being given, which resolves at its end, however it comes. */
function watchAnswers(server: Server): ReadonlySet<Promise<void>> {
  const open = new Set<Promise<void>>()
  server.on('request', (_request, response) => {
    const closed: Promise<void> = new Promise<void>((resolve) => response.on('close', resolve)).then(() => {
      open.delete(closed)
    })
    open.add(closed)
  })
  return open
}

type Running = {
  readonly server: Server
  readonly answers: ReadonlySet<Promise<void>>
  readonly standIn: ProviderStandIn
}

/** Waits for the app's last answer and, where a user had gone, for the call of the model that the app gives up then. */
async function endCalls({ server, answers, standIn }: Running): Promise<void> {
  server.close()
  await Promise.all(answers)
  // What is open still has no request: clients keep connections in reserve.
  server.closeAllConnections()
  while (standIn.calls.some(({ outcome }) => outcome === 'answering')) await sleep(5)
}
