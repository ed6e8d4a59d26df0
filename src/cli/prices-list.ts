import { Command } from 'commander'
import { readPriceTable } from '../postgres/price-table.js'
import type { StoredPrice } from '../pricing/place-prices.js'
import { describeTime } from '../pricing/token-price.js'
import { describeAmounts, toPriceRow } from './describe-price.js'
import { renderTable } from './render-table.js'
import { withDatabase } from './with-database.js'

type ListFlags = { readonly json?: true }

const columns = ['id', 'provider', 'model', 'tier', 'from', 'to', 'US dollars for a million tokens']

/** `tokenledger prices list`: all of `token_prices`, but for prices that never held. */
export function createPricesListCommand(): Command {
  return new Command('list')
    .description('print them, ended ones included')
    .option('--json', 'print them as JSON, which import takes')
    .action(runList)
}

async function runList({ json }: ListFlags): Promise<void> {
  const prices = await withDatabase(readPriceTable)
  if (json) console.log(JSON.stringify(prices.map((price) => ({ id: price.id, ...toPriceRow(price) }))))
  else console.log(prices.length === 0 ? 'no prices of your own' : describe(prices))
}

function describe(prices: readonly StoredPrice[]): string {
  const rows = prices.map((price) => {
    const { id, provider, modelPattern, serviceTier, validFrom, validTo } = price
    const end = validTo === null ? '' : describeTime(validTo)
    return [String(id), provider, modelPattern, serviceTier, describeTime(validFrom), end, describeAmounts(price)]
  })
  return renderTable(
    columns.map((title) => ({ title, align: title === 'id' ? 'right' : 'left' })),
    rows,
  )
}
