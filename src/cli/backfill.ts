import { Command, Option } from 'commander'
import { type BackfillResult, backfill } from '../history/backfill.js'
import type { EstimatedRow } from '../history/backfill-rows.js'
import type { BackfillOptions } from '../history/backfill-table.js'
import type { QuotaChange } from '../history/backfill-users.js'
import { confirm } from './confirm.js'
import { printable } from './printable.js'
import { createProgress } from './progress.js'
import { withDatabase } from './with-database.js'

type BackfillFlags = BackfillOptions & { readonly dryRun?: true; readonly yes?: true; readonly json?: true }
type Pool = Parameters<typeof backfill>[0]

/** `tokenledger backfill`: estimates the tokens of texts that were stored without a count. */
export function createBackfillCommand(): Command {
  return new Command('backfill')
    .description('estimate token counts that are 0 or NULL from the stored texts')
    .requiredOption('--table <name>', 'the table of the prompts')
    .option('--prompt-column <name>', 'their text', 'prompt')
    .option('--response-table <name>', 'the table of the responses')
    .option('--response-column <name>', 'their text; without a table a column of that of the prompts')
    .option('--response-key <name>', 'the id of the prompt in the table of the responses', 'prompt_id')
    .option('--tokens-column <name>', 'the count to fill')
    .option('--id-column <name>', 'the id of the prompt', 'id')
    .option('--time-column <name>', 'its time', 'timestamp')
    .option('--quota-table <name>', 'a table of one row per user, to which the tokens are added')
    .option('--quota-column <name>', 'what they are added to', 'used_today')
    .option('--user-column <name>', 'the user, in the tables of prompts and of quotas (default: "user_id")')
    .addOption(
      new Option('--method <method>', 'how tokens are counted').choices(['chars', 'tokenizer']).default('chars'),
    )
    .option('--model <name>', 'the model of rows without one')
    .option('--model-column <name>', 'the model of a row')
    .option('--into-log', "also add a row to token_usage_logs for each, with usage_source = 'estimated'")
    .option('--dry-run', 'list what would change only')
    .option('--yes', 'do not ask')
    .option('--json', 'print the result as JSON')
    .action(runBackfill)
}

async function runBackfill({ dryRun, yes, json, ...options }: BackfillFlags): Promise<void> {
  await withDatabase(async (pool) => {
    if (dryRun) return json ? await printDryRunAsJson(pool, options) : await printDryRun(pool, options)
    if (!yes) {
      const preview = await backfill(pool, options, { mode: 'dry-run' })
      if (preview.rows === 0) return printResult(preview, json)
      console.error(describe(preview))
      if (!(await confirm('Are you sure you want to proceed?', {}))) {
        console.error('Nothing was changed.')
        process.exitCode = 1
        return
      }
    }
    const progress = createProgress()
    const result = await backfill(pool, options, { onProgress: progress.report }).finally(progress.end)
    warnOfMethod(options, result)
    printResult(result, json)
  })
}

function printResult(result: BackfillResult, json: true | undefined): void {
  console.log(json ? JSON.stringify(result) : describe(result))
}

async function printDryRun(pool: Pool, options: BackfillOptions): Promise<void> {
  const result = await backfill(pool, options, {
    mode: 'dry-run',
    onRow: (row) => console.log(describeRow(row)),
    onQuota: (change) => console.log(describeQuota(change)),
  })
  warnOfMethod(options, result)
  console.log(describe(result))
}

// Piece by piece: there may be a million rows.
async function printDryRunAsJson(pool: Pool, options: BackfillOptions): Promise<void> {
  let rows = 0
  let quotas = 0
  const print = (text: string) => process.stdout.write(text)
  const result = await backfill(pool, options, {
    mode: 'dry-run',
    onRow: ({ id, promptLength, responseLengths, promptTokens, responseTokens }) => {
      const row = { id, promptLength, responseLengths, tokens: promptTokens + responseTokens }
      print(`${rows++ === 0 ? '{"rows":[' : ','}${JSON.stringify(row)}`)
    },
    onQuota: (change) => {
      const start = rows === 0 ? '{"rows":[],"quotas":[' : '],"quotas":['
      print(`${quotas++ === 0 ? start : ','}${JSON.stringify(change)}`)
    },
  })
  warnOfMethod(options, result)
  const start = quotas > 0 ? '' : rows > 0 ? '],"quotas":[' : '{"rows":[],"quotas":['
  print(`${start}],"summary":${JSON.stringify(result)}}\n`)
}

function warnOfMethod({ method }: BackfillOptions, result: BackfillResult): void {
  if (method !== undefined && method !== result.method)
    console.error(
      'tokenledger: gpt-tokenizer is not installed (npm install gpt-tokenizer); characters are counted instead',
    )
}

function describeRow({ id, promptLength, responseLengths, promptTokens, responseTokens }: EstimatedRow): string {
  const responses = responseLengths.length === 0 ? '' : `, response ${responseLengths.join(' + ')}`
  return `${printable(id)}  prompt ${promptLength}${responses} characters  ${promptTokens + responseTokens} tokens`
}

function describeQuota({ user, before, after, tokens }: QuotaChange): string {
  return `quota of ${printable(user)}  ${before} -> ${after} (+${tokens})`
}

function describe({ mode, method, rows, tokens, users, ...result }: BackfillResult): string {
  if (rows === 0) return 'No prompts need token backfill!'
  const would = mode === 'dry-run' ? ' (dry run, nothing was changed)' : ''
  const { quotas, withoutQuota, logged, refused, withoutTime } = result
  return [
    line('rows', String(rows)),
    line('tokens', String(tokens)),
    line('users', users === undefined ? 'not known; --user-column names their column' : String(users)),
    ...(quotas + withoutQuota > 0
      ? [line('quotas', `${quotas}${withoutQuota > 0 ? `; ${withoutQuota} users have none` : ''}`)]
      : []),
    ...(logged > 0 ? [line('logged', String(logged))] : []),
    ...(refused > 0 ? [line('refused', `${refused} by the log: their user was erased or their day pruned`)] : []),
    ...(withoutTime > 0 ? [line('not logged', `${withoutTime} without a time from 2000 on`)] : []),
    line('mode', `${method}${would}`),
  ].join('\n')
}

function line(label: string, text: string): string {
  return `${label.padEnd(12)}${text}`
}
