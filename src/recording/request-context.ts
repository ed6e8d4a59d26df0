import { AsyncLocalStorage } from 'node:async_hooks'
import type { EventEmitter } from 'node:events'
import type { CallerIdentity, DraftRecord } from '../usage/draft-record.js'
import { boundedText, ownText } from '../usage/own-text.js'
import { isTokenCount } from '../usage/token-count.js'

/** What a request has used so far. `costUsd` is null while any of its calls has no known cost. */
export type RequestUsage = {
  readonly calls: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly totalTokens: number
  readonly costUsd: number | null
}

/** Who is calling, and whether the calls are recorded at all. */
export type ContextIdentity = CallerIdentity & { readonly skip?: boolean | undefined }

/** What a call cost, in trillionths of a US dollar; null where nobody knows. */
export type CostOfDraft = (draft: DraftRecord) => bigint | null

/** Tells who is calling; asked when the first record of the request is made, so that authentication may come later. */
export type IdentityResolver = () => ContextIdentity

// Work that starts its own successor inside its context would make a chain without an end.
const deepestNesting = 100
// Calls whose cost nobody has asked for wait to be summed up in a later turn, and in this one where they are many.
const fewUnpriced = 100
const mostUnpriced = 5000
const nobody: ContextIdentity = {}

/** One request, job or procedure; contexts nest, and an inner one falls back to the outer one for what it does not say. */
export class RequestContext {
  readonly #outer: RequestContext | undefined
  readonly #depth: number
  #resolve: IdentityResolver | undefined
  #identity: ContextIdentity
  #calls = 0
  #inputTokens = 0
  #outputTokens = 0
  #picoUsd: bigint | null = 0n
  #unpriced: DraftRecord[] = []
  readonly #costOf: CostOfDraft

  constructor(resolve: IdentityResolver, costOf: CostOfDraft, outer: RequestContext | undefined) {
    this.#costOf = costOf
    const isTooDeep = outer !== undefined && outer.#depth === deepestNesting
    this.#outer = isTooDeep ? undefined : outer
    this.#depth = this.#outer === undefined ? 0 : this.#outer.#depth + 1
    this.#identity = isTooDeep ? outer.identity : nobody
    this.#resolve = resolve
  }

  /** Asks once, and remembers the answer. */
  get identity(): ContextIdentity {
    const resolve = this.#resolve
    if (resolve === undefined) return this.#identity
    // Forgotten first: a resolver that makes a record itself must not be asked by that again.
    this.#resolve = undefined
    this.#identity = { ...this.#identity, ...this.#outer?.identity }
    this.#identity = { ...this.#identity, ...definedOnly(resolve()) }
    return this.#identity
  }

  /** What was recorded in this context and those inside it, to a depth of a hundred. */
  get usage(): RequestUsage {
    this.#sumUpCosts()
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
    if (isTokenCount(draft.inputTokens)) this.#inputTokens += draft.inputTokens
    if (isTokenCount(draft.outputTokens)) this.#outputTokens += draft.outputTokens
    if (this.#picoUsd !== null) this.#keepUnpriced(draft)
    this.#outer?.add(draft)
  }

  #keepUnpriced(draft: DraftRecord): void {
    const count = this.#unpriced.push(draft)
    if (count === fewUnpriced) setImmediate(() => this.#sumUpCosts())
    if (count === mostUnpriced) this.#sumUpCosts()
  }

  #sumUpCosts(): void {
    for (const draft of this.#unpriced) {
      const cost = this.#picoUsd === null ? null : this.#costOf(draft)
      this.#picoUsd = cost === null || this.#picoUsd === null ? null : this.#picoUsd + cost
    }
    this.#unpriced = []
  }
}

/** The async-local store of one logger's request contexts. */
export class RequestContexts {
  readonly #costOf: CostOfDraft
  readonly #storage = new AsyncLocalStorage<RequestContext>()
  readonly #bound = new WeakMap<EventEmitter, RequestContext>()

  constructor(costOf: CostOfDraft) {
    this.#costOf = costOf
  }

  get current(): RequestContext | undefined {
    return this.#storage.getStore()
  }

  /** A new context inside the current one; enter it with `run`. */
  create(resolve: IdentityResolver): RequestContext {
    return new RequestContext(resolve, this.#costOf, this.current)
  }

  run<T>(context: RequestContext, fn: () => T): T {
    return this.#storage.run(context, fn)
  }

  /** From now on all events of `emitter` happen in `context`; the last context that it is bound to counts. */
  bindEvents(emitter: EventEmitter, context: RequestContext): void {
    const isBound = this.#bound.has(emitter)
    this.#bound.set(emitter, context)
    if (isBound) return
    const emit = emitter.emit
    const enter = <T>(fn: () => T) => this.run(this.#bound.get(emitter) ?? context, fn)
    emitter.emit = function boundEmit(this: EventEmitter, ...args) {
      return enter(() => emit.apply(this, args))
    }
  }
}

function definedOnly(identity: ContextIdentity): ContextIdentity {
  const defined = Object.entries(identity).filter(([, value]) => value !== undefined && value !== '')
  return Object.fromEntries(
    defined.map(([name, value]) => [name, typeof value === 'string' ? ownText(boundedText(value)) : value]),
  )
}
