/** Calls a function later, once: after the first of the times it was asked for. A timer does not keep the process alive. */
export class WakeUp {
  readonly #wake: () => void
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined

  constructor(wake: () => void) {
    this.#wake = () => {
      this.cancel()
      wake()
    }
  }

  /** Whether `after` was asked and has not come yet. */
  get hasTimer(): boolean {
    return this.#timer !== undefined
  }

  after(delayMs: number): void {
    this.#timer ??= setTimeout(this.#wake, delayMs).unref()
  }

  nextTurn(): void {
    this.#immediate ??= setImmediate(this.#wake)
  }

  cancel(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#timer = undefined
    this.#immediate = undefined
  }
}
