import type { RepriceResult } from '../postgres/reprice.js'
import { renderTable } from './render-table.js'

const titles = ['provider', 'model', 'calls', 'changed', 'unpriced\nbefore', 'unpriced\nafter', 'old cost', 'new cost']

/** A table of old and new costs by model; empty where no call was priced anew. */
export function describeModels({ models, total }: RepriceResult): string {
  const lines = [...models, { provider: 'all', modelName: '', ...total }]
  const places = Math.max(2, ...lines.flatMap(({ oldCost, newCost }) => [oldCost, newCost]).map(decimals))
  const rows = lines.map(({ provider, modelName, calls, changed, oldUnpriced, newUnpriced, oldCost, newCost }) => [
    provider ?? '',
    modelName,
    ...[calls, changed, oldUnpriced, newUnpriced].map((count) => count.toLocaleString('en')),
    ...[oldCost, newCost].map((cost) => withDecimals(cost, places)),
  ])
  return renderTable(
    titles.map((title, index) => ({ title, align: index < 2 ? 'left' : 'right' })),
    rows,
  )
}

/** What was changed, or would be, in one or two lines. */
export function describeTotal({ total, kept, runId }: RepriceResult): string {
  const { calls, changed, oldCost, newCost } = total
  const how = runId === null ? 'calls would change' : 'calls changed'
  const run = runId === null ? 'nothing was changed' : `run ${runId} of token_reprice_runs`
  const lines = [
    `${changed.toLocaleString('en')} of ${calls.toLocaleString('en')} ${how}, from $${oldCost} to $${newCost} (${run})`,
  ]
  if (kept.calls > 0) {
    lines.push(`${kept.calls.toLocaleString('en')} keep the cost that was reported or entered, $${kept.cost}`)
  }
  return lines.join('\n')
}

function decimals(amount: string): number {
  return amount.split('.')[1]?.length ?? 0
}

// Exact, and below each other.
function withDecimals(amount: string, places: number): string {
  const [whole = '', fraction = ''] = amount.split('.')
  return `$${whole}.${fraction.padEnd(places, '0')}`
}
