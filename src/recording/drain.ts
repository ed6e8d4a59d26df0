import { setTimeout as sleep } from 'node:timers/promises'

/** Something that can be asked again and again to write what it has. */
export interface Drainable {
  /** One try; never rejects. */
  flush(): Promise<void>
  /** Nothing is left, or nothing can be done about it. */
  isDrained(): boolean
  /** Milliseconds to wait before the next try. */
  pauseMs(): number
}

const longestPauseMs = 1000
const defaultTimeoutMs = 25_000
const longestTimerMs = 2 ** 31 - 1

/** Tries until all is written, for `timeoutMs` at most; 25 seconds where that is no number. Never rejects. */
export async function drain(work: Drainable, timeoutMs: unknown): Promise<void> {
  const giveUp = new AbortController()
  await within(toTimeoutMs(timeoutMs), drainUntil(work, giveUp.signal))
  giveUp.abort()
}

/** Resolves when `work` does, or after `timeoutMs`, for which it keeps the process alive. */
export async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const end = new AbortController()
  const timeout = sleep(timeoutMs, undefined, { signal: end.signal }).catch(() => undefined)
  await Promise.race([work, timeout]).finally(() => end.abort())
}

async function drainUntil(work: Drainable, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await work.flush()
    if (work.isDrained()) return
    await sleep(Math.min(work.pauseMs(), longestPauseMs), undefined, { signal }).catch(() => undefined)
  }
}

/** A time limit that a timer can keep: 25 seconds where `timeoutMs` is no number. */
export function toTimeoutMs(timeoutMs: unknown): number {
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) return defaultTimeoutMs
  return Math.min(Math.max(timeoutMs, 0), longestTimerMs)
}
