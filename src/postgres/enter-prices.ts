import type pg from 'pg'
import { type PricePlan, placePrices } from '../pricing/place-prices.js'
import { priceColumns, type TokenPrice } from '../pricing/token-price.js'
import { readPriceTable } from './price-table.js'
import { inTransaction } from './transaction.js'

export type EnterPricesOptions = {
  /** `write` by default; `count` changes nothing and says what would be entered. */
  readonly mode?: 'write' | 'count'
}

// Nobody enters another price meanwhile; reading goes on.
const begin = `begin isolation level read committed read write;
  set local lock_timeout = '10s';
  lock table token_prices in share row exclusive mode`

const endPrice = 'update token_prices set valid_to = $2 where id = $1'

const values = priceColumns.map((column, index) =>
  column === 'per_request' ? `coalesce($${index + 6}::numeric, 0)` : `$${index + 6}`,
)
const insertPrice = `
  insert into token_prices (provider, model_pattern, service_tier, valid_from, valid_to, ${priceColumns.join(', ')})
  values ($1, $2, $3, $4, $5, ${values.join(', ')})`

/**
 * Enters prices into `token_prices`, all or none, and ends those that they replace: see `placePrices`. Where some conflict,
 * nothing is changed and the plan says which. Entering the same prices again changes nothing.
 */
export async function enterPrices(
  pool: pg.Pool,
  prices: readonly TokenPrice[],
  options: EnterPricesOptions = {},
): Promise<PricePlan> {
  if (options.mode === 'count') return placePrices(await readPriceTable(pool), prices)
  return inTransaction(pool, begin, async (client) => {
    const plan = placePrices(await readPriceTable(client), prices)
    if (plan.conflicts.length > 0) return plan
    // First what ends: until then the new ones overlap.
    for (const { price, validTo } of plan.ended) await client.query(endPrice, [price.id, validTo])
    for (const price of plan.added) await insert(client, price)
    return plan
  })
}

async function insert(client: pg.PoolClient, { usd, ...price }: TokenPrice): Promise<void> {
  const { provider, modelPattern, serviceTier, validFrom, validTo } = price
  const amounts = priceColumns.map((column) => usd[column] ?? null)
  await client.query(insertPrice, [provider, modelPattern, serviceTier, validFrom, validTo, ...amounts])
}
