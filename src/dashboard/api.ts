import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client'
import type { inferRouterOutputs } from '@trpc/server'
import type { UsageRouter } from '../server/router.js'

/** What the page is answered. */
export type Answers = inferRouterOutputs<UsageRouter>

/** Wherever the page is mounted, the reports are below it. Each has a request of its own: a slow one holds up no other. */
export const api = createTRPCClient<UsageRouter>({
  links: [httpLink({ url: addressOf('api/trpc') })],
})

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
