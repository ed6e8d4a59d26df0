import type { UsageRecord } from '../usage/usage-record.js'
import type { UsageExporter, UsageLoss } from './exporter.js'

/** Keeps what it is given in arrays: for tests, and for applications that look at their own usage without a database. */
export class MemoryExporter implements UsageExporter {
  readonly name = 'memory'
  readonly #records = new Map<string, UsageRecord>()
  readonly #deadLetters = new Map<string, UsageRecord>()
  readonly #losses = new Map<string, UsageLoss>()

  get records(): readonly UsageRecord[] {
    return [...this.#records.values()]
  }

  get deadLetters(): readonly UsageRecord[] {
    return [...this.#deadLetters.values()]
  }

  get losses(): readonly UsageLoss[] {
    return [...this.#losses.values()]
  }

  async export(records: readonly UsageRecord[]): Promise<void> {
    for (const record of records) if (!this.#records.has(record.eventId)) this.#records.set(record.eventId, record)
  }

  async exportDeadLetter(record: UsageRecord): Promise<void> {
    this.#deadLetters.set(record.eventId, record)
  }

  async exportLoss(loss: UsageLoss): Promise<void> {
    this.#losses.set(loss.id, loss)
  }

  async close(): Promise<void> {}
}
