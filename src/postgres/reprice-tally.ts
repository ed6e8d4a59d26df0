import { formatPicoUsd } from '../usage/pico-usd.js'
import type { RepriceRow, RowCost } from './reprice-rows.js'

/** What pricing anew means for a number of calls. Costs are US dollars as decimal strings. */
export type RepriceTotal = {
  /** Calls that were priced anew, changed or not. */
  readonly calls: number
  readonly changed: number
  readonly oldCost: string
  readonly newCost: string
  /** How many of the calls had no cost, and have none now. */
  readonly oldUnpriced: number
  readonly newUnpriced: number
}

/** What it means for the calls of one model. The provider is null where the rows name none. */
export type RepricedModel = { readonly provider: string | null; readonly modelName: string } & RepriceTotal

/** A row with the cost that it is to have. */
export type PricedRow = RepriceRow & { readonly newCost: RowCost }

/** What a number of rows cost before and afterwards, in trillionths of a US dollar. */
export class CostSums {
  calls = 0
  changed = 0
  oldCost = 0n
  newCost = 0n
  oldUnpriced = 0
  newUnpriced = 0

  add(row: PricedRow): void {
    this.calls += 1
    this.changed += Number(isChanged(row))
    this.oldCost += row.cost.total ?? 0n
    this.newCost += row.newCost.total ?? 0n
    this.oldUnpriced += Number(row.cost.total === null)
    this.newUnpriced += Number(row.newCost.total === null)
  }

  total(): RepriceTotal {
    const { calls, changed, oldUnpriced, newUnpriced } = this
    const costs = { oldCost: formatPicoUsd(this.oldCost), newCost: formatPicoUsd(this.newCost) }
    return { calls, changed, ...costs, oldUnpriced, newUnpriced }
  }
}

/** Sums of all rows, and by provider and model in the order in which they come. */
export class RepriceTally {
  readonly #sums = new CostSums()
  readonly #models = new Map<string, { readonly of: RepriceRow['call']; readonly sums: CostSums }>()

  add(rows: readonly PricedRow[]): void {
    for (const row of rows) {
      const key = JSON.stringify([row.call.provider, row.call.modelName])
      const model = this.#models.get(key) ?? { of: row.call, sums: new CostSums() }
      this.#models.set(key, model)
      model.sums.add(row)
      this.#sums.add(row)
    }
  }

  total(): RepriceTotal {
    return this.#sums.total()
  }

  models(): RepricedModel[] {
    return [...this.#models.values()].map(({ of: { provider, modelName }, sums }) => ({
      provider,
      modelName,
      ...sums.total(),
    }))
  }
}

/** Whether the row has another cost than it is to have, or other parts of it. */
export function isChanged({ cost, newCost }: PricedRow): boolean {
  return (
    cost.total !== newCost.total ||
    cost.input !== newCost.input ||
    cost.output !== newCost.output ||
    cost.other !== newCost.other ||
    cost.source !== newCost.source
  )
}
