import { AsyncLocalStorage } from 'node:async_hooks'
import { findFormatOfRequest } from '../extractors/registry.js'
import type { UsageRecorder } from '../recording/usage-recorder.js'
import type { BodyWatcher } from './body-watcher.js'
import { CallObserver } from './call-observer.js'
import { type CallRequest, readCallRequest } from './call-request.js'
import { createComplaint } from './complaint.js'
import { findProviderHost } from './provider-hosts.js'
import { UsageAsking } from './usage-asking.js'
import { UsageChunkFilter } from './usage-chunk-filter.js'
import { discardBody, hasReadableBody, watchResponse } from './watched-response.js'

type FetchInput = string | URL | Request
/** `asking` replaces the application's arguments where they are to ask for usage. */
type Call = { readonly request: CallRequest; readonly observer: CallObserver; readonly asking: RequestInit | undefined }

/** Marks the arguments of a request that is being recorded, so that a capturing fetch below another leaves it alone. */
const recordedBy = Symbol('recordedBy')
/** The request that is being sent by what runs now, for where a function in between has made other arguments of them. */
const beingSent = new AsyncLocalStorage<SentRequest>()
type SentRequest = { readonly recorder: UsageRecorder; readonly address: string; isAnswered: boolean }

/**
 * A `fetch` that records every call of a model, one for each answer the application gets: a client's retries are calls
 * of their own. What it does not know, and what goes wrong in observing, passes as if `innerFetch` had been called.
 *
 * Streams of chat completions are asked for their usage where the application did not. A server that refuses that with
 * 400 or 422 is sent the application's own body once more; only this second answer is passed on and recorded.
 */
export function createCapturingFetch(recorder: UsageRecorder, innerFetch: typeof fetch): typeof fetch {
  const capture = new Capture(recorder, innerFetch)
  return (input, init) => capture.fetch(input, init)
}

class Capture {
  readonly #recorder: UsageRecorder
  readonly #innerFetch: typeof fetch
  readonly #asking = new UsageAsking()
  readonly #complain: (error: unknown) => void

  constructor(recorder: UsageRecorder, innerFetch: typeof fetch) {
    this.#recorder = recorder
    this.#complain = createComplaint(recorder)
    this.#innerFetch = innerFetch
  }

  async fetch(input: FetchInput, init: RequestInit | undefined): Promise<Response> {
    const inner = this.#innerFetch
    const call = this.#begin(input, init)
    if (call === undefined) return inner(input, init)
    const sent = { recorder: this.#recorder, address: call.request.url.href, isAnswered: false }
    try {
      return await beingSent.run(sent, () => this.#send(call, input, init))
    } catch (error) {
      call.observer.fail()
      throw error
    } finally {
      sent.isAnswered = true
    }
  }

  #begin(input: FetchInput, init: RequestInit | undefined): Call | undefined {
    try {
      const request = isMarked(init, this.#recorder) ? undefined : readCallRequest(input, init)
      const format = request && findFormatOfRequest(request)
      if (!request || !format || isBeingSent(request, this.#recorder)) return undefined
      const asking = isPlain(init) ? this.#asking.ask(format, request, init) : undefined
      const { hostname, port } = request.url
      const provider = findProviderHost(hostname, port)?.provider ?? format.provider
      // While the call runs, the text of a body takes less memory than what was read from it.
      const observed = { ...request, body: null }
      const call = { format, provider, request: observed, recorder: this.#recorder, complain: this.#complain }
      return { request: observed, asking, observer: new CallObserver(call) }
    } catch (error) {
      this.#complain(error)
      return undefined
    }
  }

  async #send(
    { request, asking, observer }: Call,
    input: FetchInput,
    init: RequestInit | undefined,
  ): Promise<Response> {
    const inner = this.#innerFetch
    if (asking === undefined) return this.#passOn(await inner(input, mark(init, this.#recorder)), observer)
    const response = await inner(input, mark(asking, this.#recorder))
    if (!this.#asking.mayBeRefused(request, response.status)) {
      if (response.ok) this.#asking.remember(request, true)
      return this.#passOn(response, observer, new UsageChunkFilter())
    }
    discardBody(response)
    const second = await inner(input, mark(init, this.#recorder))
    if (second.ok) this.#asking.remember(request, false)
    return this.#passOn(second, observer)
  }

  #passOn(response: Response, observer: CallObserver, filter?: UsageChunkFilter): Response {
    if (!response.ok || !hasReadableBody(response)) {
      observer.finish(response.ok ? 'ok' : 'error')
      return response
    }
    try {
      const framing = observer.begin(response.headers)
      return watchResponse(response, createWatcher(observer, framing === 'sse' ? filter : undefined))
    } catch (error) {
      this.#complain(error)
      observer.finish('ok')
      return response
    }
  }
}

function createWatcher(observer: CallObserver, filter: UsageChunkFilter | undefined): BodyWatcher {
  return {
    signal: observer.signal,
    ask: () => observer.ask(),
    pass(chunk) {
      observer.chunk(chunk)
      return filter ? filter.push(chunk) : chunk
    },
    end() {
      observer.end()
      return filter ? filter.end() : new Uint8Array(0)
    },
    fail: () => observer.fail(),
    cancel: () => observer.cancel(),
  }
}

function isMarked(init: RequestInit | undefined, recorder: UsageRecorder): boolean {
  return init !== undefined && init !== null && Reflect.get(init, recordedBy) === recorder
}

function isBeingSent({ url }: CallRequest, recorder: UsageRecorder): boolean {
  const sent = beingSent.getStore()
  return sent?.recorder === recorder && sent.address === url.href && !sent.isAnswered
}

function mark(init: RequestInit | undefined, recorder: UsageRecorder): RequestInit | undefined {
  return isPlain(init) ? Object.assign({ ...init }, { [recordedBy]: recorder }) : init
}

// A copy of anything but a plain object would lose what its class provides.
function isPlain(init: RequestInit | null | undefined): boolean {
  return init == null || [Object.prototype, null].includes(Object.getPrototypeOf(init))
}
