import type { RequestContexts } from '../recording/request-context.js'
import { createIdentityResolver, type IdentityOptions, type IdentityReport } from './resolve-identity.js'

/** What a tRPC 11 procedure middleware is given, as far as it is used here. */
export type TrpcCall<Context> = {
  readonly ctx: Context
  /** `chat.send`: the operation, where neither the options nor an outer context name one. */
  readonly path: string
  readonly type: string
  readonly input?: unknown
}

/** A tRPC 11 procedure middleware; structural, so that no version's types are needed. */
export type TrpcMiddleware<Context> = <Result>(
  call: TrpcCall<Context> & { readonly next: () => Promise<Result> },
) => Promise<Result>

/**
 * Opens a request context around a procedure; inside Express' context it falls back to that for what its options leave
 * out. A procedure that answers with an async generator keeps the context while it is read.
 */
export function createTrpcMiddleware<Context>(
  contexts: RequestContexts,
  options: IdentityOptions<TrpcCall<Context>>,
  report: IdentityReport,
): TrpcMiddleware<Context> {
  return (call) => {
    const outer = contexts.current
    const resolve = createIdentityResolver(options, call, report)
    const context = contexts.create(() => {
      const identity = resolve()
      return { ...identity, operation: identity.operation ?? outer?.identity.operation ?? call.path }
    })
    const enter = <T>(fn: () => T) => contexts.run(context, fn)
    return enter(async () => keepContext(await call.next(), enter))
  }
}

// The body of a generator runs in the context of whoever asks for its next value, which here is tRPC's adapter.
function keepContext<Result>(result: Result, enter: <T>(fn: () => T) => T): Result {
  const data = (result as { data?: unknown } | null)?.data
  if (!isAsyncGenerator(data)) return result
  return { ...result, data: bindGenerator(data, enter) }
}

function bindGenerator(generator: AsyncGenerator, enter: <T>(fn: () => T) => T): AsyncGenerator {
  const bound: AsyncGenerator = Object.assign(Object.create(Object.getPrototypeOf(generator)), {
    next: (...args: [] | [unknown]) => enter(() => generator.next(...args)),
    return: (value: unknown) => enter(() => generator.return(value)),
    throw: (error: unknown) => enter(() => generator.throw(error)),
    [Symbol.asyncIterator]: () => bound,
  })
  return bound
}

function isAsyncGenerator(value: unknown): value is AsyncGenerator {
  const generator = value as Partial<AsyncGenerator> | null | undefined
  return typeof generator?.next === 'function' && typeof generator[Symbol.asyncIterator] === 'function'
}
