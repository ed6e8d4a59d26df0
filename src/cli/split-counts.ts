import { Command, Option } from 'commander'
import {
  previewSplitCounts,
  type RoleSums,
  type SplitCountsPreview,
  type SplitCountsResult,
  splitCounts,
} from '../history/split-counts.js'
import type { SplitCountsOptions } from '../history/split-counts-table.js'
import { alignedRows } from './aligned-rows.js'
import { confirm } from './confirm.js'
import { printable } from './printable.js'
import { withDatabase } from './with-database.js'

type SplitFlags = Omit<SplitCountsOptions, 'oldColumns'> & {
  readonly dropOld?: true
  readonly rollback?: true
  readonly printSql?: true
  readonly yes?: true
  readonly json?: true
}

/** `tokenledger split-counts`: one count for each message becomes one of input and one of output, by its role. */
export function createSplitCountsCommand(): Command {
  return new Command('split-counts')
    .description('split the token count and cost of each message into input and output, by its role')
    .requiredOption('--table <name>', 'the table of the messages')
    .option('--role-column <name>', 'the column of the role', 'role')
    .option('--tokens-column <name>', 'the old count (default: "tokenCount", tokencount or token_count)')
    .option('--cost-column <name>', 'the old cost (default: "tokenCost", tokencost or token_cost)')
    .option('--input-tokens-column <name>', 'the new columns', 'token_count_input')
    .option('--output-tokens-column <name>', '', 'token_count_output')
    .option('--input-cost-column <name>', '', 'token_cost_input')
    .option('--output-cost-column <name>', '', 'token_cost_output')
    .addOption(
      new Option('--unknown-role <side>', 'what rows of other roles count as; without it they stop the run').choices([
        'input',
        'output',
        'skip',
      ]),
    )
    .option('--drop-old', 'drop the old columns once their sums are compared')
    .addOption(
      new Option('--rollback', 'restore the old columns, and drop the new ones').conflicts(['dropOld', 'unknownRole']),
    )
    .option('--print-sql', 'print the statements only')
    .option('--yes', 'do not ask')
    .option('--json', 'print the result as JSON')
    .action(runSplitCounts)
}

async function runSplitCounts({ dropOld, rollback, printSql, yes, json, ...names }: SplitFlags): Promise<void> {
  const options: SplitCountsOptions = { ...names, oldColumns: dropOld ? 'drop' : 'keep' }
  const direction = rollback ? 'restore' : 'split'
  await withDatabase(async (pool) => {
    const preview = await previewSplitCounts(pool, options, direction)
    if (printSql) return console.log(json ? JSON.stringify(preview) : script(preview))
    if (preview.done === 'none')
      return console.log(json ? JSON.stringify({ ...preview, sums: [] }) : describeNone(preview, direction))
    console.error(describePreview(preview))
    if (await confirm('Are you sure you want to proceed?', { yes })) {
      const result = await splitCounts(pool, options, direction)
      console.log(json ? JSON.stringify(result) : describe(result))
    } else {
      console.error('Nothing was changed.')
      process.exitCode = 1
    }
  })
}

function script({ statements }: SplitCountsPreview): string {
  if (statements.length === 0) return '-- nothing to do'
  return ['begin', ...statements, 'commit'].map((statement) => `${statement};`).join('\n\n')
}

function describeNone({ table, skipped }: SplitCountsPreview, direction: 'split' | 'restore'): string {
  const why = direction === 'split' ? 'is split already' : 'has no columns that split-counts added'
  return `nothing to do: ${printable(table)} ${why}${skipped > 0 ? `, but for ${skipped} rows of other roles` : ''}`
}

function describePreview({ table, done, rows, skipped, droppedColumns }: SplitCountsPreview): string {
  const moved = {
    split: `${rows} rows are split`,
    restored: `${rows} rows get their old counts back`,
    dropped: 'all rows are split already',
    none: 'nothing to do',
  }[done]
  const left = skipped > 0 ? `, ${skipped} of other roles stay as they are` : ''
  const dropped = droppedColumns.length > 0 ? `; ${droppedColumns.join(', ')} are dropped` : ''
  return printable(`${table}: ${moved}${left}${dropped}. The table is locked until that is done.`)
}

function describe({ table, done, rows, skipped, droppedColumns, sums }: SplitCountsResult): string {
  const moved = {
    split: `${rows} rows of ${table} split${skipped > 0 ? `, ${skipped} of other roles left as they are` : ''}`,
    restored: `${rows} rows of ${table} have their old counts back`,
    dropped: `all rows of ${table} were split before`,
    none: `nothing to do: ${table}`,
  }[done]
  const equal = sums.length > 0 ? '; the sums per role and in total are those of before' : ''
  const dropped = droppedColumns.length > 0 ? `; ${droppedColumns.join(', ')} dropped` : ''
  return [...sumsTable(sums), printable(`${moved}${equal}${dropped}`)].join('\n')
}

function sumsTable(sums: readonly RoleSums[]): string[] {
  const [first] = sums
  if (first === undefined) return []
  const columns = Object.keys(first.sums)
  const rows = sums.map(({ role, rows: count, sums: values }) => [
    role,
    String(count),
    ...columns.map((name) => values[name] ?? ''),
  ])
  return [alignedRows([['role', 'rows', ...columns.map(printable)], ...rows])]
}
