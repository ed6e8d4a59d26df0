import { AsyncLocalStorage } from 'node:async_hooks'
import type { OpenCall } from './usage-recorder.js'

const longestPauseMs = 60_000

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

  /** Each of them leaves its row now, with what is known. */
  giveUpAll(): void {
    for (const call of [...this.#calls]) call.giveUp()
  }

  #startTimer(): NodeJS.Timeout {
    const pauseMs = Math.min(longestPauseMs, Math.ceil(this.#timeoutMs / 10))
    return setInterval(() => this.#giveUpUnread(performance.now() - this.#timeoutMs), pauseMs).unref()
  }

  #giveUpUnread(since: number): void {
    for (const call of [...this.#calls]) if ((call.unreadSince ?? Number.POSITIVE_INFINITY) <= since) call.giveUp()
  }
}
