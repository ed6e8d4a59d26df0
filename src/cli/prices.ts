import { Command } from 'commander'
import { createPricesImportCommand } from './prices-import.js'
import { createPricesListCommand } from './prices-list.js'
import { createPricesSetCommand } from './prices-set.js'
import { createPricesUnpricedCommand } from './prices-unpriced.js'

/** `tokenledger prices ...`: your own prices, which go before the list that comes along. */
export function createPricesCommand(): Command {
  return new Command('prices')
    .description('your own prices, which go before the list that comes along')
    .addCommand(createPricesListCommand())
    .addCommand(createPricesSetCommand())
    .addCommand(createPricesImportCommand())
    .addCommand(createPricesUnpricedCommand())
}
