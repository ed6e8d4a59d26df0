import { createOwnPrices } from '../pricing/own-prices.js'
import type { StoredPrice } from '../pricing/place-prices.js'
import type { PriceSource } from '../pricing/price-source.js'
import { priceColumns } from '../pricing/token-price.js'
import { isoTime } from './iso-time.js'

/** The part of a pool or a client that is used to read prices. */
export interface PriceReader {
  query(query: { readonly text: string }): Promise<unknown>
}

// No fee is the same as a fee of 0.
const amounts = priceColumns.map(
  (column) => `'${column}', trim_scale(${column === 'per_request' ? 'nullif(per_request, 0)' : column})::text`,
)

// A price that ends where it begins never held.
const selectPrices = `
  select
    id::float8 as id,
    provider,
    model_pattern as "modelPattern",
    service_tier as "serviceTier",
    ${isoTime('valid_from')} as "validFrom",
    ${isoTime('valid_to')} as "validTo",
    jsonb_strip_nulls(jsonb_build_object(${amounts.join(', ')})) as usd
  from token_prices
  where valid_to is null or valid_to > valid_from
  order by lower(provider), lower(model_pattern), lower(service_tier), token_prices.valid_from`

/** All prices of `token_prices` that hold or held at some time, by provider, pattern, tier and time. */
export async function readPriceTable(reader: PriceReader): Promise<StoredPrice[]> {
  const { rows } = (await reader.query({ text: selectPrices })) as { rows: StoredPrice[] }
  // Not by lower(), which goes by the locale of the database: an "I" of a Turkish one becomes another letter than ours.
  return rows.map((row) => ({
    ...row,
    provider: row.provider.toLowerCase(),
    modelPattern: row.modelPattern.toLowerCase(),
    serviceTier: row.serviceTier.toLowerCase(),
  }))
}

/** The user's own prices as they are now, in one query. Rejects with the driver's error, also where there is no such table. */
export async function readOwnPrices(reader: PriceReader): Promise<PriceSource> {
  return createOwnPrices(await readPriceTable(reader))
}
