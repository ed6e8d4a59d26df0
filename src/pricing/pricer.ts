import { formatPicoUsd } from '../usage/pico-usd.js'
import type { UsageRecord } from '../usage/usage-record.js'
import { countBillable } from './billable-usage.js'
import type { CallCost, PricedCall } from './call-cost.js'
import { charge } from './charge.js'
import { type ChargedPart, chargedParts } from './charged-parts.js'
import type { PricedModel, PriceSchedule, PriceSource } from './price-source.js'
import { parseRawUsage, type RawUsage } from './raw-numbers.js'
import { findReportedCost } from './reported-cost.js'
import { findRegion, findServiceTier } from './service-tier.js'

type FoundPrices = { readonly source: PriceSource; readonly schedule: PriceSchedule }

const mostModels = 1000
const nothingTold: RawUsage = Object.freeze({})

/**
 * Says what calls cost, by what the provider reported or else by the first of its sources that has a price. What a source
 * found is kept, for a thousand models.
 */
export class Pricer {
  readonly #sources: readonly PriceSource[]
  readonly #found = new Map<string, readonly FoundPrices[]>()

  constructor(sources: readonly PriceSource[]) {
    this.#sources = sources
  }

  /** What a call cost, or null where nobody knows. Never throws. */
  price(call: PricedCall): CallCost | null {
    try {
      const raw = parseRawUsage(call.rawUsage) ?? nothingTold
      return findReportedCost(call.provider, raw) ?? this.#priceByUsage(call, raw)
    } catch {
      // Whatever a source or a provider's numbers hold, they cost no batch.
      return null
    }
  }

  /** The record with its cost. One that has a cost keeps it, unless the provider reported another. Never throws. */
  withCost(record: UsageRecord): UsageRecord {
    if (record.costSource === 'provider') return record
    const cost = record.costEstimate === null ? this.price(record) : reportedCostOf(record)
    if (cost === null) return record
    return {
      ...record,
      costEstimate: formatPicoUsd(cost.total),
      inputCost: formatPart(cost.input),
      outputCost: formatPart(cost.output),
      otherCost: formatPart(cost.other),
      costSource: cost.source,
    }
  }

  #priceByUsage(call: PricedCall, raw: RawUsage): CallCost | null {
    const serviceTier = findServiceTier(raw)
    const region = findRegion(raw)
    const { provider } = call
    let sum: CallCost | null = null
    for (const part of chargedParts(call, raw)) {
      const cost = this.#priceOne(part, { provider, model: part.call.modelName, serviceTier, region })
      if (cost === null) return null
      sum = sum === null ? cost : add(sum, cost)
    }
    return sum
  }

  #priceOne({ call, raw, requests }: ChargedPart, model: PricedModel): CallCost | null {
    const usage = countBillable(call, raw, requests)
    if (usage === null) return null
    for (const { source, schedule } of this.#pricesOf(model)) {
      const price = schedule.priceAt(call.timestamp)
      if (price === undefined) continue
      return charge(usage, price, source.costSource)
    }
    return null
  }

  #pricesOf(model: PricedModel): readonly FoundPrices[] {
    const key = `${model.provider}\n${model.model}\n${model.serviceTier}\n${model.region}`
    let found = this.#found.get(key)
    if (found === undefined) {
      // Names come from outside: there may be no end of them.
      if (this.#found.size >= mostModels) this.#found.clear()
      found = this.#sources.flatMap((source) => {
        const schedule = source.findPrices(model)
        return schedule === undefined ? [] : [{ source, schedule }]
      })
      this.#found.set(key, found)
    }
    return found
  }
}

function reportedCostOf(record: UsageRecord): CallCost | null {
  const raw = parseRawUsage(record.rawUsage)
  return raw && findReportedCost(record.provider, raw)
}

function add(a: CallCost, b: CallCost): CallCost {
  const sum = (part: 'input' | 'output' | 'other') => (a[part] ?? 0n) + (b[part] ?? 0n)
  return { ...a, total: a.total + b.total, input: sum('input'), output: sum('output'), other: sum('other') }
}

function formatPart(pico: bigint | null): string | null {
  return pico === null ? null : formatPicoUsd(pico)
}
