import { AsyncLocalStorage } from 'node:async_hooks'
import { type AnswerSoFar, laterProgress, type RequestType, type WireFormat } from '../extractors/wire-format.js'
import type { CapturedCall, OpenCall, UsageRecorder } from '../recording/usage-recorder.js'
import type { TokenUsage } from '../usage/token-usage.js'
import type { CallStatus, UsageSource } from '../usage/usage-record.js'
import type { CallRequest } from './call-request.js'
import { estimateUsage } from './estimate-usage.js'
import { createFraming, type Framing, type FramingKind, framingKindOf } from './framing.js'
import { ReceivedText } from './received-text.js'

/** How an answer is read that is known to be of this format. */
export type AnswerFormat = Omit<WireFormat, 'provider' | 'matchesRequest' | 'matchesAnswer'>

/** What a call needs to be observed. `complain` hears what went wrong in observing. */
export type ObservedCall = {
  readonly format: AnswerFormat
  readonly provider: string
  readonly request: Pick<CallRequest, 'model' | 'wantsStream' | 'signal' | 'readBody'>
  readonly recorder: UsageRecorder
  readonly complain: (error: unknown) => void
}

const textRequests: readonly RequestType[] = ['chat', 'completion']

/** The call that is observed from outside of what runs now; weak, since connections keep what they were opened in. */
const outerCall = new AsyncLocalStorage<WeakRef<CallObserver>>()

/**
 * Watches one request of a model and its answer and records it exactly once, whatever ends it: as soon as the provider has
 * said its last word, since some clients do not read on to the end of the body. Its methods never throw; where
 * observing itself fails the call is recorded with unknown usage.
 */
export class CallObserver implements OpenCall {
  readonly #call: ObservedCall
  readonly #record: (call: CapturedCall) => void
  readonly #timestamp = Date.now()
  readonly #startedAt = performance.now()
  #framing: Framing | undefined
  #isStream: boolean
  #isBlind = false
  #isRecorded = false
  #firstChunkAt: number | undefined
  #unreadSince: number | undefined
  #answer: AnswerSoFar
  #received = new ReceivedText()
  #successor: OpenCall | undefined

  constructor(call: ObservedCall) {
    this.#call = call
    this.#answer = call.format.initial
    this.#isStream = call.request.wantsStream
    const outer = outerCall.getStore()?.deref()
    const outerRecord = outer ? outer.#giveWayTo(this) : undefined
    this.#record = outerRecord ?? call.recorder.startCall(this)
  }

  get signal(): AbortSignal | null {
    return this.#call.request.signal
  }

  get unreadSince(): number | undefined {
    return this.#unreadSince
  }

  /**
   * Runs `fn`, which makes this call. Where the same call is observed within it for the same recorder, as a request for
   * text that `usage.fetch` passes on, that observer sees more of it and records it in this one's place.
   */
  around<T>(fn: () => T): T {
    return outerCall.run(new WeakRef(this), fn)
  }

  /** The head of the answer arrived, and its body will be passed to `chunk`. Returns how that body is framed. */
  begin(headers: Headers): FramingKind {
    const { format, request } = this.#call
    const kind = framingKindOf(headers.get('content-type') ?? '', format, request.wantsStream)
    this.#isStream = kind !== 'json' && kind !== 'text'
    this.#observe(() => {
      this.#answer = format.readHeaders?.(this.#answer, headers) ?? this.#answer
    })
    this.#framing = createFraming(kind, (message) => this.#take(message))
    this.wait()
    return kind
  }

  /** The answer is there, and the application is to ask for it. */
  wait(): void {
    this.#unreadSince = performance.now()
  }

  /** The application waits for the next chunk. */
  ask(): void {
    this.#unreadSince = undefined
  }

  chunk(bytes: Uint8Array): void {
    this.#arrived()
    this.#observe(() => this.#framing?.push(bytes))
  }

  /** A message of an answer that somebody else has taken apart, or the whole of one that is not streamed. */
  message(message: unknown): void {
    this.#arrived()
    this.#observe(() => this.#take(message))
  }

  /** The body ended by itself. */
  end(): void {
    this.#observe(() => this.#framing?.end())
    this.finish(this.#isBlind || this.#isComplete ? 'ok' : 'error')
  }

  /** The request or the body of its answer broke, be it because the application gave its signal. */
  fail(): void {
    if (this.#call.request.signal?.aborted) this.cancel()
    else this.finish('error')
  }

  /** The application wants no more. Where the model had finished and its counts are known, nothing was broken off. */
  cancel(endedAt = performance.now()): void {
    this.finish(this.#isComplete && this.#answer.usage.outputTokens !== null ? 'ok' : 'aborted', endedAt)
  }

  /** Nobody reads on, or the process ends. */
  giveUp(): void {
    if (this.#successor) this.#successor.giveUp()
    else this.cancel(this.#unreadSince)
  }

  /** Records the call; from the second time on without effect. */
  finish(status: CallStatus, endedAt = performance.now()): void {
    if (this.#isRecorded) return
    this.#isRecorded = true
    try {
      this.#record(this.#describe(status, endedAt))
    } catch (error) {
      this.#call.complain(error)
    }
    // The application may hold on to the answer, and with it to this.
    this.#framing = undefined
    this.#received = new ReceivedText()
  }

  #giveWayTo(inner: CallObserver): ((call: CapturedCall) => void) | undefined {
    const { format, recorder } = inner.#call
    const isSameCall = recorder === this.#call.recorder && textRequests.includes(format.requestType)
    if (this.#isRecorded || !isSameCall) return undefined
    this.#isRecorded = true
    this.#successor = inner
    return this.#record
  }

  #arrived(): void {
    this.#unreadSince = performance.now()
    this.#firstChunkAt ??= this.#unreadSince
  }

  get #isComplete(): boolean {
    return this.#answer.progress === 'finished' || this.#answer.progress === 'ended'
  }

  #observe(step: () => void): void {
    if (this.#isRecorded || this.#isBlind) return
    try {
      step()
    } catch (error) {
      this.#isBlind = true
      this.#received = new ReceivedText()
      this.#answer = { ...this.#call.format.initial, model: this.#answer.model, responseId: this.#answer.responseId }
      this.#call.complain(error)
    }
  }

  #take(message: unknown): void {
    if (this.#isRecorded) return
    const { format } = this.#call
    const answer = format.reduce(this.#answer, message)
    if (this.#isStream) this.#received.add(format.outputTextOf(message))
    // A whole answer is complete in itself, whether or not it says so.
    this.#answer = this.#isStream ? answer : { ...answer, progress: laterProgress(answer.progress, 'ended') }
    if (this.#answer.progress === 'failed') this.finish('error')
    if (this.#answer.progress === 'ended') this.finish('ok')
  }

  #describe(status: CallStatus, endedAt: number): CapturedCall {
    const { format, provider, request } = this.#call
    const { model, responseId } = this.#answer
    const modelName = model ?? request.model ?? 'unknown'
    const estimate = status === 'ok' ? undefined : this.#estimate(modelName)
    const usage = estimate ?? this.#answer.usage
    const source = estimate ? 'estimated' : sourceOf(this.#answer)
    return {
      modelName,
      provider,
      requestType: format.requestType,
      status,
      usageSource: format.requestType === 'image' ? 'fixed' : source,
      inputTokens: usage.inputTokens,
      outputTokens: usage.outputTokens,
      cacheReadTokens: usage.cacheReadTokens ?? undefined,
      cacheWriteTokens: usage.cacheWriteTokens ?? undefined,
      reasoningTokens: usage.reasoningTokens ?? undefined,
      rawUsage: usage.raw,
      responseId: responseId ?? undefined,
      timestamp: this.#timestamp,
      durationMs: endedAt - this.#startedAt,
      timeToFirstChunkMs: this.#isStream && this.#firstChunkAt ? this.#firstChunkAt - this.#startedAt : undefined,
    }
  }

  #estimate(model: string): TokenUsage | undefined {
    const { request, recorder, complain } = this.#call
    if (recorder.onAbort === 'unknown') return undefined
    try {
      return estimateUsage(this.#answer.usage, { model, received: this.#received, request })
    } catch (error) {
      complain(error)
      return undefined
    }
  }
}

function sourceOf({ usage, progress }: AnswerSoFar): UsageSource {
  if (usage.inputTokens === null && usage.outputTokens === null) return 'unknown'
  if (usage.inputTokens === null || usage.outputTokens === null) return 'provider_partial'
  return progress === 'finished' || progress === 'ended' ? 'provider' : 'provider_partial'
}
