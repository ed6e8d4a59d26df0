import type { UsageRecord } from '../usage/usage-record.js'
import type { UsageExporter, UsageLoss } from './exporter.js'
import type { RecordPricing } from './record-pricing.js'

/** Hands records on to another exporter with what they cost. */
export class PricingExporter implements UsageExporter {
  readonly #exporter: UsageExporter
  readonly #prices: RecordPricing

  constructor(exporter: UsageExporter, prices: RecordPricing) {
    this.#exporter = exporter
    this.#prices = prices
  }

  get name(): string {
    return this.#exporter.name
  }

  async export(records: readonly UsageRecord[]): Promise<void> {
    await this.#prices.refresh()
    await this.#exporter.export(records.map((record) => this.#prices.withCost(record)))
  }

  exportDeadLetter(record: UsageRecord, reason: { readonly code: string; readonly message: string }): Promise<void> {
    return this.#exporter.exportDeadLetter(this.#prices.withCost(record), reason)
  }

  exportLoss(loss: UsageLoss): Promise<void> {
    return this.#exporter.exportLoss(loss)
  }

  close(): Promise<void> {
    return this.#exporter.close()
  }
}
