import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OpenCall } from './usage-recorder.js'

const longestPauseMs = 60_000
const unreadMs = 5000
const lookMs = 20

/**
 * The calls that have no row yet. One whose answer nobody has read for `timeoutMs` is given up, up to a tenth of that
 * (a minute at most) later: some clients neither read a stream to its end nor break it off.
 */
export class OpenCalls {
  readonly #timeoutMs: number
  readonly #calls = new Set<OpenCall>()
  // A timer started within a request would keep that request in memory.
  readonly #outsideRequests = AsyncLocalStorage.snapshot()
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  get count(): number {
    return this.#calls.size
  }

  add(call: OpenCall): void {
    this.#calls.add(call)
    this.#timer ??= this.#outsideRequests(() => this.#startTimer())
  }

  delete(call: OpenCall): void {
    this.#calls.delete(call)
    if (this.#calls.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Resolves when all calls have ended but those whose answer nobody has read on for five seconds; after `timeoutMs` at the latest. */
  async ended(timeoutMs: number): Promise<void> {
    const until = performance.now() + timeoutMs
    for (let leftMs = timeoutMs; leftMs > 0 && this.#isAnyAwaited(); leftMs = until - performance.now()) {
      await sleep(Math.min(lookMs, leftMs))
    }
  }

  /** Each of them leaves its row now, with what is known. */
  giveUpAll(): void {
    for (const call of [...this.#calls]) {
      call.giveUp()
      // It is not waited for again, whatever it made of that.
      this.delete(call)
    }
  }

  #startTimer(): NodeJS.Timeout {
    const pauseMs = Math.min(longestPauseMs, Math.ceil(this.#timeoutMs / 10))
    return setInterval(() => this.#giveUpUnread(performance.now() - this.#timeoutMs), pauseMs).unref()
  }

  #giveUpUnread(since: number): void {
    for (const call of [...this.#calls]) if (isUnread(call, since)) call.giveUp()
  }

  #isAnyAwaited(): boolean {
    const since = performance.now() - unreadMs
    for (const call of this.#calls) if (!isUnread(call, since)) return true
    return false
  }
}

function isUnread({ unreadSince }: OpenCall, since: number): boolean {
  return (unreadSince ?? Number.POSITIVE_INFINITY) <= since
}
