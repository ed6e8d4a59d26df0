import { Command, InvalidArgumentError, Option } from 'commander'
import { enterPrices } from '../postgres/enter-prices.js'
import { findContradictions, toPriceName, toUsdText, usdRule } from '../pricing/parse-price.js'
import { refuse } from '../pricing/price-file.js'
import { type PriceColumn, priceColumns, type TokenPrice } from '../pricing/token-price.js'
import { shortName } from './describe-price.js'
import { reportEntered } from './report-entered.js'
import { timeArgument, timeOfNow } from './time-argument.js'
import { withDatabase } from './with-database.js'

type SetFlags = {
  readonly provider: string
  readonly model: string
  readonly serviceTier: string
  readonly validFrom?: string
  readonly validTo?: string
  readonly dryRun?: true
  readonly json?: true
}

const amounts = priceColumns.map((column) => ({
  column,
  option: new Option(`--${shortName(column)} <usd>`, describeAmount(column)).argParser(toUsd),
}))

/** `tokenledger prices set`: enters one price and ends the one that it replaces. */
export function createPricesSetCommand(): Command {
  const command = new Command('set')
    .description('enter a price; the one that holds until then is ended')
    .requiredOption('--provider <name>', 'as rows name it; * for any', toName('provider'))
    .requiredOption('--model <pattern>', 'as rows name it; * stands for any characters', toName('model_pattern'))
    .option(
      '--service-tier <name>',
      'batch, flex, priority, standard, ...; * for those without a price',
      toName('service_tier'),
      '*',
    )
    .option('--valid-from <time>', 'since when it holds; now by default', timeArgument)
    .option('--valid-to <time>', 'when it ends; by default when the next one begins', timeArgument)
  for (const { option } of amounts) command.addOption(option)
  return command
    .option('--dry-run', 'say what would be entered and ended')
    .option('--json', 'print the result as JSON')
    .action(runSet)
}

async function runSet(flags: SetFlags, command: Command): Promise<void> {
  const price = toPrice(flags, command)
  const [contradiction] = findContradictions(price)
  if (contradiction) command.error(`error: ${contradiction}`, { exitCode: 2 })
  const { dryRun, json } = flags
  const plan = await withDatabase((pool) => enterPrices(pool, [price], { mode: dryRun ? 'count' : 'write' }))
  refuse(plan.conflicts.map(({ reason }) => reason))
  reportEntered(plan, { dryRun, json })
}

function toPrice({ provider, model, serviceTier, validFrom, validTo }: SetFlags, command: Command): TokenPrice {
  const usd: Partial<Record<PriceColumn, string>> = {}
  for (const { column, option } of amounts) {
    const text: string | undefined = command.getOptionValue(option.attributeName())
    if (text !== undefined && !(column === 'per_request' && text === '0')) usd[column] = text
  }
  return {
    provider,
    modelPattern: model,
    serviceTier,
    validFrom: validFrom ?? timeOfNow(),
    validTo: validTo ?? null,
    usd,
  }
}

function describeAmount(column: PriceColumn): string {
  const name = shortName(column)
  return column.endsWith('_per_million')
    ? `for a million ${name.replaceAll('-', ' ')} tokens`
    : `for each ${name.replaceAll('-', ' ')}`
}

function toUsd(text: string): string {
  const usd = toUsdText(text)
  if (usd === undefined) throw new InvalidArgumentError(`It has to be ${usdRule}.`)
  return usd
}

function toName(column: Parameters<typeof toPriceName>[1]): (text: string) => string {
  return (text) => {
    const name = toPriceName(text, column)
    if (name === undefined) throw new InvalidArgumentError('It has to be a name.')
    return name
  }
}
