import { setTimeout as sleep } from 'node:timers/promises'
import { priceList } from '../pricing/price-list.js'
import type { PriceSource } from '../pricing/price-source.js'
import { Pricer } from '../pricing/pricer.js'
import type { DraftRecord } from '../usage/draft-record.js'
import { toPicoUsd } from '../usage/pico-usd.js'
import { toUsageRecord } from '../usage/to-usage-record.js'
import type { UsageRecord } from '../usage/usage-record.js'
import { createLineLimiter, type DiagnosticLogger } from './diagnostics.js'

const refreshMs = 60_000
const retryMs = 5000
const longestWaitMs = 2000

/**
 * Gives records their cost, by the user's own prices and after them the list that comes along. The own prices are read
 * at the first `refresh()`, and again once a minute while rows are written; where they cannot be read, those of the
 * last time stay.
 */
export class RecordPricing {
  readonly #diagnostics: DiagnosticLogger
  readonly #readOwnPrices: (() => Promise<PriceSource>) | undefined
  readonly #mayLog = createLineLimiter()
  #pricer = new Pricer([priceList])
  #reading: Promise<void> | undefined
  #nextReadAt = 0

  constructor(diagnostics: DiagnosticLogger, readOwnPrices?: () => Promise<PriceSource>) {
    this.#diagnostics = diagnostics
    this.#readOwnPrices = readOwnPrices
    if (readOwnPrices === undefined) this.#nextReadAt = Number.POSITIVE_INFINITY
  }

  /** Reads the own prices where it is time to. Waits for two seconds at most, and never rejects. */
  async refresh(): Promise<void> {
    if (this.#reading === undefined && performance.now() >= this.#nextReadAt) this.#reading = this.#read()
    if (this.#reading === undefined) return
    const giveUp = new AbortController()
    const timeout = sleep(longestWaitMs, undefined, { ref: false, signal: giveUp.signal }).catch(() => undefined)
    await Promise.race([this.#reading, timeout])
    giveUp.abort()
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

  async #read(): Promise<void> {
    try {
      const ownPrices = await this.#readOwnPrices?.()
      if (ownPrices !== undefined) this.#pricer = new Pricer([ownPrices, priceList])
      this.#nextReadAt = performance.now() + refreshMs
    } catch (error) {
      this.#nextReadAt = performance.now() + retryMs
      this.#report(error)
    } finally {
      this.#reading = undefined
    }
  }

  // A store that is away is reported by the write that fails for it.
  #report(error: unknown): void {
    const { kind, reason, message } = error as { kind?: unknown; reason?: unknown; message?: unknown }
    if (kind === 'passing' || !this.#mayLog('prices')) return
    const line = `the prices in token_prices cannot be read: ${message}. Rows are priced without those of the last minute`
    this.#diagnostics.warn({ reason }, line)
  }
}
