import { createEventId } from '../usage/event-id.js'
import { isTokenCount } from '../usage/token-count.js'
import { createLineLimiter, type DiagnosticLogger } from './diagnostics.js'
import type { UsageLoss } from './exporter.js'
import type { LostRecord } from './record-source.js'

/** Why a record could not be kept. */
export type LossReason =
  | 'memory_full'
  | 'spool_full'
  | 'spool_gone'
  | 'spool_damaged'
  | 'unreadable_entry'
  | 'refused'
  | 'closed'

/** What the lines about lost records name. */
export type LossContext = { readonly maxMemoryMb: number; readonly storeName: string }

type Count = { -readonly [Field in keyof UsageLoss]: UsageLoss[Field] }

/** Counts records that could not be kept, by reason, until the store has taken the counts. */
export class Losses {
  readonly #context: LossContext
  readonly #diagnostics: DiagnosticLogger
  readonly #mayLog = createLineLimiter()
  readonly #counting = new Map<LossReason, Count>()
  readonly #sealed: UsageLoss[] = []
  readonly #totals: Partial<Record<LossReason, number>> = {}
  #total = 0

  constructor(context: LossContext, diagnostics: DiagnosticLogger) {
    this.#context = context
    this.#diagnostics = diagnostics
  }

  get total(): number {
    return this.#total
  }

  get byReason(): Readonly<Partial<Record<LossReason, number>>> {
    return { ...this.#totals }
  }

  get isEmpty(): boolean {
    return this.#counting.size === 0 && this.#sealed.length === 0
  }

  /** Counts a record, and says so once a minute. `record` is left out where nothing of it could be read. */
  drop(reason: LossReason, record?: LostRecord): void {
    this.add(reason, record)
    this.#report(reason)
  }

  /** Counts records of which nothing could be read, and says so once a minute. */
  dropMany(reason: LossReason, count: number): void {
    for (let record = 0; record < count; record++) this.add(reason)
    this.#report(reason)
  }

  /** Counts a record without a word. */
  add(reason: LossReason, record?: LostRecord): void {
    this.#total += 1
    this.#totals[reason] = (this.#totals[reason] ?? 0) + 1
    const at = record?.loggedAt ?? Date.now()
    const count = this.#counting.get(reason) ?? this.#begin(reason, at)
    count.records += 1
    count.inputTokens += tokensOf(record?.inputTokens)
    count.outputTokens += tokensOf(record?.outputTokens)
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

  #report(reason: LossReason): void {
    if (!this.#mayLog(reason)) return
    const count = `${this.#total} ${this.#total === 1 ? 'was' : 'were'} lost so far, and that count is kept`
    this.#diagnostics.error(
      { reason, dropped: this.#total },
      `a usage row was lost: it ${explain(reason, this.#context)}. ${count}`,
    )
  }

  #begin(reason: LossReason, at: number): Count {
    const count = { id: createEventId(), reason, records: 0, inputTokens: 0, outputTokens: 0, firstAt: at, lastAt: at }
    this.#counting.set(reason, count)
    return count
  }
}

function explain(reason: LossReason, { maxMemoryMb, storeName }: LossContext): string {
  switch (reason) {
    case 'memory_full':
      return `found no room in the ${maxMemoryMb} MB for rows that are not yet written`
    case 'spool_full':
      return `found no room in the ${maxMemoryMb} MB for rows that are not yet written, and none in the spool`
    case 'spool_gone':
      return 'was in a file of the spool that somebody took away'
    case 'spool_damaged':
      return 'was in the spool and is damaged'
    case 'unreadable_entry':
      return 'could not be read from what was given to log()'
    case 'refused':
      return `was refused by ${storeName}, and so was its dead letter`
    case 'closed':
      return 'came after close()'
  }
}

function tokensOf(value: unknown): number {
  return isTokenCount(value) ? value : 0
}
