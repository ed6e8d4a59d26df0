import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client'
import type { inferRouterOutputs } from '@trpc/server'
import PQueue from 'p-queue'
import type { UsageRouter } from '../server/router.js'

/** What the page is answered. */
export type Answers = inferRouterOutputs<UsageRouter>

/** Wherever the page is mounted, the reports are below it. Each has a request of its own: a slow one holds up no other. */
export const api = createTRPCClient<UsageRouter>({
  links: [httpLink({ url: addressOf('api/trpc') })],
})

const mostAtOnce = 4
const prompt = new PQueue({ concurrency: mostAtOnce })
const patient = new PQueue({ concurrency: 1 })

/** Asks for what comes from the daily sums, or for a page of calls; of several that wait, for the highest priority first. */
export function askNow<T>(ask: () => Promise<T>, signal: AbortSignal, priority = 0): Promise<T> {
  // What is asked for in one turn begins in the order of its priority.
  prompt.pause()
  queueMicrotask(() => prompt.start())
  return prompt.add(ask, { signal, priority })
}

/**
 * Asks for what has to read every row of a range, one at a time and after everything else, so that the server always has a
 * connection for what is quick. One that is under way is left to end: the database would go on with it anyway.
 */
export function askLast<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return patient.add(async () => {
    await prompt.onIdle()
    signal.throwIfAborted()
    return ask()
  })
}

/** An address below the page's own. */
export function addressOf(path: string): string {
  return new URL(path, document.baseURI).href
}

/** Whether the server wants to know first who asks. */
export function isSignInWanted(error: unknown): boolean {
  return error instanceof TRPCClientError && error.data?.code === 'UNAUTHORIZED'
}

/** What went wrong, for a person. */
export function explain(error: unknown): string {
  if (error instanceof TRPCClientError && error.data) return error.message
  return 'the server does not answer'
}
