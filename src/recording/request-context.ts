import { AsyncLocalStorage } from 'node:async_hooks'
import type { CallerIdentity, DraftRecord } from '../usage/draft-record.js'
import { toPicoUsd } from '../usage/pico-usd.js'

/** What a request has used so far. `costUsd` is null while any of its calls has no known cost. */
export type RequestUsage = {
  readonly calls: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly totalTokens: number
  readonly costUsd: number | null
}

/** Tells who is calling; asked when the first record of the request is made, so that authentication may come later. */
export type IdentityResolver = () => CallerIdentity & { readonly skip?: boolean }

/** One request, job or procedure; contexts nest, and an inner one falls back to the outer one for what it does not say. */
export class RequestContext {
  readonly #resolve: IdentityResolver
  readonly #outer: RequestContext | undefined
  #identity: (CallerIdentity & { readonly skip?: boolean }) | undefined
  #calls = 0
  #inputTokens = 0
  #outputTokens = 0
  #picoUsd: bigint | null = 0n

  constructor(resolve: IdentityResolver, outer: RequestContext | undefined) {
    this.#resolve = resolve
    this.#outer = outer
  }

  /** Asks once, and remembers the answer. A resolver that throws leaves the caller unknown. */
  get identity(): CallerIdentity & { readonly skip?: boolean } {
    this.#identity ??= { ...this.#outer?.identity, ...definedOnly(this.#resolve()) }
    return this.#identity
  }

  /** What was recorded in this context and those inside it. */
  get usage(): RequestUsage {
    return {
      calls: this.#calls,
      inputTokens: this.#inputTokens,
      outputTokens: this.#outputTokens,
      totalTokens: this.#inputTokens + this.#outputTokens,
      costUsd: this.#calls === 0 || this.#picoUsd === null ? null : Number(this.#picoUsd) / 1e12,
    }
  }

  add(draft: DraftRecord): void {
    this.#calls += 1
    if (Number.isSafeInteger(draft.inputTokens)) this.#inputTokens += draft.inputTokens as number
    if (Number.isSafeInteger(draft.outputTokens)) this.#outputTokens += draft.outputTokens as number
    if (this.#picoUsd !== null) {
      const pico = draft.costEstimate == null ? null : toPicoUsd(draft.costEstimate)
      this.#picoUsd = pico === null ? null : this.#picoUsd + pico
    }
    this.#outer?.add(draft)
  }
}

/** The async-local store of one logger's request contexts. */
export class RequestContexts {
  readonly #storage = new AsyncLocalStorage<RequestContext>()

  get current(): RequestContext | undefined {
    return this.#storage.getStore()
  }

  /** A new context inside the current one; enter it with `run`. */
  create(resolve: IdentityResolver): RequestContext {
    return new RequestContext(resolve, this.current)
  }

  run<T>(context: RequestContext, fn: () => T): T {
    return this.#storage.run(context, fn)
  }
}

function definedOnly<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null && value !== '')) as Partial<T>
}
