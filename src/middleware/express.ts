import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestContexts } from '../recording/request-context.js'
import { createIdentityResolver, type IdentityOptions, type IdentityReport } from './resolve-identity.js'

/** What is used of a request: any Express version's, and any that extends Node's own. */
export type ExpressRequest = IncomingMessage

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
    const enter = <T>(fn: () => T) => contexts.run(context, fn)
    bindEvents(request, enter)
    bindEvents(response, enter)
    enter(next)
  }
}

// Node emits the events of a request (its body, the client's disconnect) outside the request's async context.
function bindEvents(emitter: IncomingMessage | ServerResponse, enter: <T>(fn: () => T) => T): void {
  const emit = emitter.emit
  emitter.emit = function boundEmit(this: typeof emitter, ...args: Parameters<typeof emit>) {
    return enter(() => emit.apply(this, args))
  } as typeof emit
}
