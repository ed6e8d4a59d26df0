import { Command } from 'commander'
import { readUnpricedModels, type UnpricedModel } from '../postgres/unpriced-models.js'
import { renderTable } from './render-table.js'
import { withDatabase } from './with-database.js'

type UnpricedFlags = { readonly json?: true }

const columns = [
  'provider',
  'model',
  'calls',
  'tokens\nunknown',
  'input\ntokens',
  'output\ntokens',
  'first call',
  'last call',
]

/** `tokenledger prices unpriced`: the models whose calls have no cost. */
export function createPricesUnpricedCommand(): Command {
  return new Command('unpriced')
    .description('the models with calls that have no cost')
    .option('--json', 'print them as JSON')
    .action(runUnpriced)
}

async function runUnpriced({ json }: UnpricedFlags): Promise<void> {
  const models = await withDatabase(readUnpricedModels)
  if (json) console.log(JSON.stringify(models))
  else console.log(models.length === 0 ? 'every call has a cost' : describe(models))
}

function describe(models: readonly UnpricedModel[]): string {
  return renderTable(
    columns.map((title, index) => ({ title, align: index >= 2 && index <= 5 ? 'right' : 'left' })),
    models.map(({ provider, modelName, firstAt, lastAt, calls, unknown, inputTokens, outputTokens }) => [
      provider ?? '',
      modelName,
      ...[calls, unknown, inputTokens, outputTokens].map((count) => count.toLocaleString('en')),
      ...[firstAt, lastAt].map((time) => time?.slice(0, 16).replace('T', ' ') ?? ''),
    ]),
  )
}
