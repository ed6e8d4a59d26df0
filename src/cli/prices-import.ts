import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { TokenLedgerError } from '../errors.js'
import { enterPrices } from '../postgres/enter-prices.js'
import { readPriceFile, refuse } from '../pricing/price-file.js'
import { reportEntered } from './report-entered.js'
import { withDatabase } from './with-database.js'

type ImportFlags = { readonly dryRun?: true; readonly json?: true }

/** `tokenledger prices import <file>`: enters all prices of a file, or none. */
export function createPricesImportCommand(): Command {
  return new Command('import')
    .description('enter the prices of a CSV or JSON file, all or none')
    .argument('<file>', 'with the columns of token_prices; valid_from says since when a price holds')
    .option('--dry-run', 'read and compare them only')
    .option('--json', 'print the result as JSON')
    .action(runImport)
}

async function runImport(path: string, { dryRun, json }: ImportFlags): Promise<void> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new TokenLedgerError('TOKENLEDGER_PRICES', `${path} cannot be read (${error.code}).`)
  })
  const { prices, places } = readPriceFile(text, path.toLowerCase().endsWith('.json') ? 'json' : 'csv')
  const plan = await withDatabase((pool) => enterPrices(pool, prices, { mode: dryRun ? 'count' : 'write' }))
  refuse(plan.conflicts.map(({ index, reason }) => `${places[index]}: ${reason}`))
  reportEntered(plan, { dryRun, json })
}
