import { createLineLimiter, type DiagnosticLogger } from '../diagnostics.js'

const openMs = 30_000
const slowMs = 50
const slowWrites = 3
const linesMs = 3_600_000

/**
 * Keeps a disk that fails or stalls away from the requests: after one write that failed, or the third within 30 seconds
 * that took longer than 50 ms, nothing is written for 30 seconds.
 */
export class SpoolBreaker {
  readonly #directory: string
  readonly #diagnostics: DiagnosticLogger
  readonly #mayLog = createLineLimiter(linesMs)
  #slowAt: number[] = []
  #openUntil = 0
  #isReported = false

  constructor(directory: string, diagnostics: DiagnosticLogger) {
    this.#directory = directory
    this.#diagnostics = diagnostics
  }

  get isOpen(): boolean {
    return performance.now() < this.#openUntil
  }

  /** Does some work on the disk, unless the breaker is open; false where the work was not done. Never throws. */
  attempt(work: () => void): boolean {
    return !this.isOpen && this.attemptAnyway(work)
  }

  /** The same, for work that cannot be done later. */
  attemptAnyway(work: () => void): boolean {
    try {
      work()
    } catch (error) {
      this.fail(error)
      return false
    }
    this.#succeed()
    return true
  }

  /** Some work that was done elsewhere failed. */
  fail(error: unknown): void {
    this.#open(reasonOf(error))
  }

  /** The disk took so long for a part of the work. */
  took(durationMs: number): void {
    if (durationMs > slowMs) this.#countSlow()
  }

  #succeed(): void {
    if (this.isOpen || !this.#isReported) return
    this.#isReported = false
    this.#diagnostics.info({}, `the spool in ${this.#directory} is written again`)
  }

  #countSlow(): void {
    const now = performance.now()
    this.#slowAt = this.#slowAt.filter((at) => now - at < openMs)
    this.#slowAt.push(now)
    if (this.#slowAt.length < slowWrites) return
    this.#slowAt = []
    this.#open(`${slowWrites} writes took longer than ${slowMs} ms each`)
  }

  #open(reason: string): void {
    this.#openUntil = performance.now() + openMs
    if (!this.#mayLog(reason)) return
    this.#isReported = true
    const kept = `Usage rows are kept in memory only; next try in ${openMs / 1000} s`
    this.#diagnostics.error({ reason }, `the spool in ${this.#directory} cannot be used: ${reason}. ${kept}`)
  }
}

// The words of a system error hold the path of a file; its code says as much.
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : message
}
