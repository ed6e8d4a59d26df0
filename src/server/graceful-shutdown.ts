import type { Server } from 'node:http'
import type { DiagnosticLogger } from '../recording/diagnostics.js'

export type ShutdownSteps = {
  readonly server: Server
  /** What to close once no request is in flight, in this order: the usage logger, then pools, then the database. */
  readonly closers: readonly (() => Promise<unknown>)[]
  /** Milliseconds for everything, 25,000 by default: Heroku kills a process 30 s after its first SIGTERM. */
  readonly timeoutMs?: number
  readonly logger: DiagnosticLogger
}

/**
 * Returns a function that stops accepting connections, lets requests in flight end, runs the closers and resolves to true,
 * or to false where the time ran out or a closer failed. All calls share one shutdown.
 */
export function createShutdown(steps: ShutdownSteps): () => Promise<boolean> {
  const countInFlight = followRequests(steps.server)
  let shutdown: Promise<boolean> | undefined
  return () => {
    shutdown ??= shutDown(steps, countInFlight)
    return shutdown
  }
}

/** Ends the process after `shutdown` at SIGTERM or SIGINT, however many of them arrive. */
export function exitOnSignals(shutdown: () => Promise<boolean>): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, async () => process.exit((await shutdown()) ? 0 : 1))
  }
}

async function shutDown(
  { server, closers, timeoutMs = 25_000, logger }: ShutdownSteps,
  countInFlight: () => number,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  logger.info({}, 'shutting down: requests in flight are finished first')
  // The closers keep a fifth of the time, whatever the requests do.
  const inTime = await within(timeoutMs * 0.8, closeServer(server, countInFlight))
  if (!inTime) {
    logger.warn({}, 'requests were still in flight and are cut off')
    server.closeAllConnections()
  }
  let isComplete = inTime
  for (const close of closers) {
    const closing = close().then(
      () => true,
      () => false,
    )
    isComplete = (await within(deadline - Date.now(), closing)) && isComplete
  }
  if (isComplete) logger.info({}, 'shut down')
  else logger.error({}, 'shut down with something left unfinished')
  return isComplete
}

function followRequests(server: Server): () => number {
  let inFlight = 0
  server.on('request', (_request, response) => {
    inFlight += 1
    response.once('close', () => {
      inFlight -= 1
    })
  })
  return () => inFlight
}

function closeServer(server: Server, countInFlight: () => number): Promise<boolean> {
  return new Promise((resolve) => {
    // A connection kept alive after its last answer, or opened in advance, would hold the server open until the client
    // lets go; one that never carried a request is not even among the idle ones.
    const sweep = setInterval(() => {
      if (countInFlight() === 0) server.closeAllConnections()
      else server.closeIdleConnections()
    }, 100)
    server.close(() => {
      clearInterval(sweep)
      resolve(true)
    })
  })
}

function within(timeoutMs: number, work: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, timeoutMs), false)
  })
  return Promise.race([work, expiry]).finally(() => clearTimeout(timer))
}
