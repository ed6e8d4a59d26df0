import { type AnswerSoFar, laterProgress, type WireFormat } from '../extractors/wire-format.js'
import type { CapturedCall } from '../recording/usage-recorder.js'
import type { CallStatus, UsageSource } from '../usage/usage-record.js'
import type { CallRequest } from './call-request.js'
import { createFraming, type Framing, type FramingKind } from './framing.js'
import { LongStringFilter } from './long-string-filter.js'
import { findProviderHost } from './provider-hosts.js'

/** What a call needs to be observed. `record` belongs to this call alone; `complain` hears what went wrong in observing. */
export type ObservedCall = {
  readonly format: WireFormat
  readonly request: CallRequest
  readonly record: (call: CapturedCall) => void
  readonly complain: (error: unknown) => void
}

const longestStringBytes = 8192

/**
 * Watches one HTTP request and its answer and records it exactly once, whatever ends it: as soon as the provider has
 * said its last word, since some clients do not read on to the end of the body. Its methods never throw; where
 * observing itself fails the call is recorded with unknown usage.
 */
export class CallObserver {
  readonly #call: ObservedCall
  readonly #timestamp = Date.now()
  readonly #startedAt = performance.now()
  readonly #strings = new LongStringFilter(longestStringBytes)
  readonly #decoder = new TextDecoder()
  #framing: Framing | undefined
  #isStream = false
  #isBlind = false
  #isRecorded = false
  #firstChunkAt: number | undefined
  #answer: AnswerSoFar

  constructor(call: ObservedCall) {
    this.#call = call
    this.#answer = call.format.initial
  }

  /** The head of the answer arrived, and its body will be passed to `chunk`. Returns how that body is framed. */
  begin(contentType: string | null): FramingKind {
    const kind = framingOf(contentType ?? '', this.#call)
    this.#isStream = kind !== 'json'
    this.#framing = createFraming(kind, (message) => this.#take(message))
    return kind
  }

  chunk(bytes: Uint8Array): void {
    this.#firstChunkAt ??= performance.now()
    this.#observe(() => this.#read(this.#strings.push(bytes)))
  }

  /** The body ended by itself. */
  end(): void {
    this.#observe(() => {
      this.#read(this.#strings.end())
      this.#framing?.end()
    })
    this.finish(this.#isBlind || this.#isComplete ? 'ok' : 'error')
  }

  /** The request or the body of its answer broke, be it because the application gave its signal. */
  fail(): void {
    if (this.#call.request.signal?.aborted) this.cancel()
    else this.finish('error')
  }

  /** The application wants no more. Where the model had finished and its counts are known, nothing was broken off. */
  cancel(): void {
    this.finish(this.#isComplete && this.#answer.usage.outputTokens !== null ? 'ok' : 'aborted')
  }

  /** Records the call; from the second time on without effect. */
  finish(status: CallStatus): void {
    if (this.#isRecorded) return
    this.#isRecorded = true
    try {
      this.#call.record(this.#describe(status))
    } catch (error) {
      this.#call.complain(error)
    }
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
      this.#answer = { ...this.#call.format.initial, model: this.#answer.model, responseId: this.#answer.responseId }
      this.#call.complain(error)
    }
  }

  #read(bytes: Uint8Array): void {
    this.#framing?.push(this.#decoder.decode(bytes, { stream: true }))
  }

  #take(message: unknown): void {
    if (this.#isRecorded) return
    const answer = this.#call.format.reduce(this.#answer, message)
    // A whole answer is complete in itself, whether or not it says so.
    this.#answer = this.#isStream ? answer : { ...answer, progress: laterProgress(answer.progress, 'ended') }
    if (this.#answer.progress === 'failed') this.finish('error')
    if (this.#answer.progress === 'ended') this.finish('ok')
  }

  #describe(status: CallStatus): CapturedCall {
    const { format, request } = this.#call
    const { usage, model, responseId } = this.#answer
    return {
      modelName: model ?? request.model ?? 'unknown',
      provider: findProviderHost(request.url.hostname)?.provider ?? format.provider,
      requestType: format.requestType,
      status,
      usageSource: format.requestType === 'image' ? 'fixed' : sourceOf(this.#answer),
      inputTokens: usage.inputTokens,
      outputTokens: usage.outputTokens,
      cacheReadTokens: usage.cacheReadTokens ?? undefined,
      cacheWriteTokens: usage.cacheWriteTokens ?? undefined,
      reasoningTokens: usage.reasoningTokens ?? undefined,
      rawUsage: usage.raw,
      responseId: responseId ?? undefined,
      timestamp: this.#timestamp,
      durationMs: performance.now() - this.#startedAt,
      timeToFirstChunkMs: this.#isStream && this.#firstChunkAt ? this.#firstChunkAt - this.#startedAt : undefined,
    }
  }
}

function framingOf(contentType: string, { format, request }: ObservedCall): FramingKind {
  if (/^text\/event-stream/i.test(contentType)) return 'sse'
  if (/^application\/(x-ndjson|jsonl)/i.test(contentType)) return 'ndjson'
  if (/^application\/json/i.test(contentType)) return 'json'
  return request.wantsStream ? format.streamFraming : 'json'
}

function sourceOf({ usage, progress }: AnswerSoFar): UsageSource {
  if (usage.inputTokens === null && usage.outputTokens === null) return 'unknown'
  if (usage.inputTokens === null || usage.outputTokens === null) return 'provider_partial'
  return progress === 'finished' || progress === 'ended' ? 'provider' : 'provider_partial'
}
