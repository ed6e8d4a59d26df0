import { Command } from 'commander'
import { TokenLedgerError } from '../errors.js'
import { readOwnPrices } from '../postgres/price-table.js'
import { type RepriceOptions, type RepriceResult, reprice } from '../postgres/reprice.js'
import type { RepriceRange } from '../postgres/reprice-rows.js'
import { priceList } from '../pricing/price-list.js'
import { Pricer } from '../pricing/pricer.js'
import { describeTime } from '../pricing/token-price.js'
import { confirm } from './confirm.js'
import { describeModels, describeTotal } from './describe-reprice.js'
import { printable } from './printable.js'
import { createProgress } from './progress.js'
import { timeArgument, timeOfNow } from './time-argument.js'
import { withDatabase } from './with-database.js'

type RepriceFlags = {
  readonly since: string
  readonly until?: string
  readonly model?: string
  readonly dryRun?: true
  readonly yes?: true
  readonly json?: true
}
type Hooks = Pick<RepriceOptions, 'onStart' | 'onRows'>
type Run = (mode: 'count' | 'change') => Promise<RepriceResult>

const fewRows = 10_000

/** `tokenledger reprice`: gives calls that are recorded the cost that they have by the prices of now. */
export function createRepriceCommand(): Command {
  return new Command('reprice')
    .description('give recorded calls the cost that they have by the prices known now, each at its own time')
    .requiredOption('--since <time>', 'the first moment of the range, a day or a time in UTC', timeArgument)
    .option('--until <time>', 'the end of the range, itself not in it; now by default', timeArgument)
    .option('--model <name>', 'only this model, as rows name it')
    .option('--dry-run', 'show old and new costs only')
    .option('--yes', 'change the rows without asking')
    .option('--json', 'print the result as JSON')
    .action(runReprice)
}

async function runReprice(flags: RepriceFlags, command: Command): Promise<void> {
  const { since, until = timeOfNow(), model: modelName, dryRun, yes, json } = flags
  if (until <= since) command.error('error: --until has to be later than --since', { exitCode: 2 })
  const range = { since, until, modelName }
  const mayAsk = !dryRun && !yes
  const result = await withDatabase(async (pool) => {
    const pricer = new Pricer([await readOwnPrices(pool), priceList])
    const run: Run = (mode) => withProgress((hooks) => reprice(pool, range, { pricer, mode, ...hooks }))
    const preview = mayAsk ? checked(await run('count'), range) : undefined
    if (preview && !(await mayChange(preview))) return undefined
    const done = await run(dryRun ? 'count' : 'change')
    return preview ? done : checked(done, range)
  })
  if (result === undefined) {
    console.error('tokenledger: nothing was changed')
    process.exitCode = 1
    return
  }
  if (json) console.log(JSON.stringify({ ...range, ...result }))
  else console.log(mayAsk ? describeTotal(result) : `${describeModels(result)}\n${describeTotal(result)}`)
}

/** Shows what would change and asks; where nothing would there is nothing to ask. */
async function mayChange(preview: RepriceResult): Promise<boolean> {
  console.error(`${describeModels(preview)}\n${describeTotal(preview)}`)
  const { changed } = preview.total
  return changed === 0 || confirm(`Change ${changed.toLocaleString('en')} rows?`, {})
}

function checked(result: RepriceResult, { since, until, modelName }: RepriceRange): RepriceResult {
  const { onlySumsBefore: day } = result
  if (day !== null) {
    console.error(
      `tokenledger: the days before ${day} have only sums, which stay as they were priced; their rows were pruned`,
    )
  }
  if (result.total.calls + result.kept.calls > 0) return result
  const whose = modelName === undefined ? '' : ` of ${printable(modelName)}`
  throw new TokenLedgerError(
    'TOKENLEDGER_NOT_FOUND',
    `There are no rows${whose} from ${describeTime(since)} to ${describeTime(until)}.`,
  )
}

async function withProgress<T>(work: (hooks: Hooks) => Promise<T>): Promise<T> {
  const progress = createProgress()
  let total = 0
  let done = 0
  const onStart = (rows: number) => {
    total = rows
  }
  const onRows = (rows: number) => {
    done += rows
    if (total > fewRows) progress.report(done, total)
  }
  return work({ onStart, onRows }).finally(progress.end)
}
