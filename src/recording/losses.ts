import type { DraftRecord } from '../usage/draft-record.js'
import { createEventId } from '../usage/event-id.js'
import type { UsageLoss } from './exporter.js'

/** Why a record could not be kept. */
export type LossReason = 'memory_full' | 'unreadable_entry' | 'refused' | 'closed'

type Count = { -readonly [Field in keyof UsageLoss]: UsageLoss[Field] }

/** Counts records that could not be kept, by reason, until the store has taken the counts. */
export class Losses {
  readonly #counting = new Map<LossReason, Count>()
  readonly #sealed: UsageLoss[] = []
  readonly #totals: Partial<Record<LossReason, number>> = {}
  #total = 0

  get total(): number {
    return this.#total
  }

  get byReason(): Readonly<Partial<Record<LossReason, number>>> {
    return { ...this.#totals }
  }

  get isEmpty(): boolean {
    return this.#counting.size === 0 && this.#sealed.length === 0
  }

  /** `draft` is left out where not even the entry could be read. */
  add(reason: LossReason, draft?: DraftRecord): void {
    this.#total += 1
    this.#totals[reason] = (this.#totals[reason] ?? 0) + 1
    const at = draft?.loggedAt ?? Date.now()
    const count = this.#counting.get(reason) ?? this.#begin(reason, at)
    count.records += 1
    count.inputTokens += tokensOf(draft?.inputTokens)
    count.outputTokens += tokensOf(draft?.outputTokens)
    count.lastAt = at
  }

  /**
   * Hands over each count and forgets it when `store` resolves. A count that was once handed over never changes again,
   * so that storing it twice under its id stores it once.
   */
  async store(store: (loss: UsageLoss) => Promise<void>): Promise<void> {
    this.#sealed.push(...this.#counting.values())
    this.#counting.clear()
    for (let loss = this.#sealed[0]; loss !== undefined; loss = this.#sealed[0]) {
      await store(loss)
      this.#sealed.shift()
    }
  }

  #begin(reason: LossReason, at: number): Count {
    const count = { id: createEventId(), reason, records: 0, inputTokens: 0, outputTokens: 0, firstAt: at, lastAt: at }
    this.#counting.set(reason, count)
    return count
  }
}

function tokensOf(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0
}
