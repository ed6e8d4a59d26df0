import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestContexts } from '../recording/request-context.js'
import { createIdentityResolver, type IdentityOptions, type IdentityReport } from './resolve-identity.js'

/** What is used of a request: any Express version's, and any that extends Node's own. */
export type ExpressRequest = IncomingMessage

/**
 * What the options are given where TypeScript cannot tell the type of the request, as in `app.use('/path', ...)`: everything
 * that Express, and what is mounted before, may have added to it.
 */
// biome-ignore lint/suspicious/noExplicitAny: with unknown, the most ordinary option, req.user?.email, would not compile
export type AnyExpressRequest = ExpressRequest & { readonly [property: string]: any }

/** An Express 4 or 5 middleware; structural, so that no version's types are needed. */
export type ExpressMiddleware<Request> = (
  request: Request,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Opens a request context for everything that happens after it. Mount it before the routes; what the options ask of the
 * request is asked later, so authentication may be mounted after it.
 */
export function createExpressMiddleware<Request extends ExpressRequest>(
  contexts: RequestContexts,
  options: IdentityOptions<Request>,
  report: IdentityReport,
): ExpressMiddleware<Request> {
  return (request, response, next) => {
    const context = contexts.create(createIdentityResolver(options, request, report))
    // Node emits these events (the body, the client's disconnect) outside the request's async context.
    contexts.bindEvents(request, context)
    contexts.bindEvents(response, context)
    contexts.run(context, next)
  }
}
