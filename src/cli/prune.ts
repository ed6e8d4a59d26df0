import { Command, InvalidArgumentError } from 'commander'
import { countPrunable, findPruneBoundary, type Pruned, prune } from '../history/prune.js'
import { confirm } from './confirm.js'
import { withDatabase } from './with-database.js'

type PruneFlags = {
  readonly olderThan: number
  readonly keepDaily?: true
  readonly dryRun?: true
  readonly yes?: true
  readonly json?: true
}

/** `tokenledger prune`: removes the rows of before a day, for good. */
export function createPruneCommand(): Command {
  return new Command('prune')
    .description('remove old rows, with their daily sums and the dead letters of that time')
    .requiredOption('--older-than <days>', 'rows of calls before that many full days (90d)', toDays)
    .option('--keep-daily', 'the daily sums outlive the rows')
    .option('--dry-run', 'count them only')
    .option('--yes', 'do not ask')
    .option('--json', 'print the result as JSON')
    .action(runPrune)
}

async function runPrune({ olderThan, keepDaily, dryRun, yes, json }: PruneFlags): Promise<void> {
  await withDatabase(async (pool) => {
    const boundary = await findPruneBoundary(pool, olderThan)
    const options = { keepDaily: keepDaily ?? false }
    const found = await countPrunable(pool, boundary, options)
    const print = (pruned: Pruned, sentence: string) =>
      console.log(json ? JSON.stringify({ before: boundary.startsAt, ...pruned }) : sentence)
    if (dryRun) {
      print(found, `${describe(found)} of before ${boundary.day} to prune, nothing was changed`)
    } else if (await confirm(`Remove ${describe(found)} of before ${boundary.day} for good?`, { yes })) {
      const pruned = await prune(pool, boundary, options)
      print(pruned, `pruned ${describe(pruned)} of before ${boundary.day}`)
    } else {
      console.error('tokenledger: nothing was changed')
      process.exitCode = 1
    }
  })
}

function describe({ rows, dailySums, deadLetters }: Pruned): string {
  return `${rows} rows, ${dailySums} daily sums and ${deadLetters} dead letters`
}

function toDays(text: string): number {
  const days = Number(/^(\d{1,5})d$/.exec(text)?.[1] ?? 0)
  if (days < 1 || days > 36_500) throw new InvalidArgumentError('It has to be a number of days, from 1d to 36500d.')
  return days
}
