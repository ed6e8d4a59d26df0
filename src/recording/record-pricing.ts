import { ExportError } from '../errors.js'
import { priceList } from '../pricing/price-list.js'
import type { PriceSource } from '../pricing/price-source.js'
import { Pricer } from '../pricing/pricer.js'
import type { DraftRecord } from '../usage/draft-record.js'
import { toPicoUsd } from '../usage/pico-usd.js'
import { toUsageRecord } from '../usage/to-usage-record.js'
import type { UsageRecord } from '../usage/usage-record.js'
import { createLineLimiter, type DiagnosticLogger } from './diagnostics.js'

const refreshMs = 60_000
// The table of prices is missing, locked or slow, may not be read, or holds what nobody expects: rows can be written all the same.
const aboutTable = /^(42...|55...|57014|unknown)$/

/**
 * Gives records their cost, by the user's own prices and after them the list that comes along. The own prices are read
 * before the first batch, and again once a minute while rows are written; where their table cannot be read, those of the
 * last time stay.
 */
export class RecordPricing {
  readonly #diagnostics: DiagnosticLogger
  readonly #readOwnPrices: (() => Promise<PriceSource>) | undefined
  readonly #mayLog = createLineLimiter()
  #pricer = new Pricer([priceList])
  #nextReadAt = 0
  #hasRead = false

  constructor(diagnostics: DiagnosticLogger, readOwnPrices?: () => Promise<PriceSource>) {
    this.#diagnostics = diagnostics
    this.#readOwnPrices = readOwnPrices
  }

  /**
   * Reads the own prices where it is time to. Rejects with the error of a store that takes no rows now either: the write that
   * was to follow is then tried again later, and its prices with it.
   */
  async refresh(): Promise<void> {
    if (this.#readOwnPrices === undefined || performance.now() < this.#nextReadAt) return
    try {
      this.#pricer = new Pricer([await this.#readOwnPrices(), priceList])
      this.#hasRead = true
    } catch (error) {
      if (!(error instanceof ExportError) || !isAboutTable(error)) throw error
      this.#report(error)
    }
    this.#nextReadAt = performance.now() + refreshMs
  }

  /** The record with its cost, where it has one. Never throws. */
  withCost(record: UsageRecord): UsageRecord {
    return this.#pricer.withCost(record)
  }

  /** What the row of a draft will cost by the prices of now, in trillionths of a US dollar; null where nobody knows. */
  costOf(draft: DraftRecord): bigint | null {
    const { costEstimate } = this.withCost(toUsageRecord(draft))
    return costEstimate === null ? null : toPicoUsd(costEstimate)
  }

  #report({ reason, message }: ExportError): void {
    if (!this.#mayLog('prices')) return
    const by = this.#hasRead ? 'those that were read last' : 'the list alone'
    const line = `the prices in token_prices cannot be read: ${message}. Rows are priced by ${by} until they can; tokenledger reprice corrects them`
    this.#diagnostics.warn({ reason }, line)
  }
}

function isAboutTable({ kind, reason }: ExportError): boolean {
  return kind === 'data' || aboutTable.test(reason)
}
