import type { ClientBase } from 'pg'
import { TokenLedgerError } from '../errors.js'
import type { Column } from '../postgres/find-table.js'
import { findDependents, findStuckRows } from './split-counts-obstacles.js'
import { addColumns, anyOf, isUnsplit, moveCounts, sideOf, splitMoves } from './split-counts-sql.js'
import {
  findSplitTable,
  type Pair,
  type SplitCountsOptions,
  type SplitPlan,
  type SplitTable,
} from './split-counts-table.js'

/** What is left to split, of a table that may be split already. Throws for rows that stand in the way. */
export async function planSplit(client: ClientBase, options: SplitCountsOptions): Promise<SplitPlan> {
  const found = await findSplitTable(client, options)
  await refuseStuckRows(client, found, options)
  const { rows, skipped } = await countUnsplit(client, found, options)
  const dropped = options.oldColumns === 'drop' ? oldOf(found).map(({ old }) => old) : []
  if (dropped.length > 0) await refuseDependents(client, found, dropped)
  const prepare = addColumns(found)
  const split = withNewColumns(found)
  const isMove = prepare.length > 0 || rows > 0
  return {
    done: isMove ? 'split' : dropped.length > 0 ? 'dropped' : 'none',
    rows,
    skipped,
    droppedColumns: dropped.map(({ name }) => name),
    prepare,
    move: isMove ? moveCounts(split, options.unknownRole) : undefined,
    finish: dropped.map(({ sql }) => `alter table ${split.table.sql} drop column ${sql}`),
    split,
    moves: splitMoves(split, options.unknownRole),
  }
}

async function refuseStuckRows(client: ClientBase, split: SplitTable, options: SplitCountsOptions): Promise<void> {
  const { rows, examples } = await findStuckRows(client, split, stuckConditions(split, options))
  if (rows === 0) return
  const shown = examples.map(({ id, reason }) => `${id} (${reason})`).join(', ')
  const more = rows > examples.length ? ` and ${rows - examples.length} more` : ''
  const advice =
    options.unknownRole === undefined
      ? 'Correct them, or say with --unknown-role input, output or skip what becomes of them'
      : 'Their counts would be lost with the old columns: correct them, or keep those'
  throw new TokenLedgerError(
    'TOKENLEDGER_REFUSED',
    `${rows} of the rows of ${split.table.name} cannot be split: ${shown}${more}. ${advice}. Nothing was changed.`,
  )
}

// Without a word on unknown roles, a row of which not all is known stops the run, unless its counts are in the new columns
// already. Old columns are dropped only once everything in them is elsewhere.
function stuckConditions(split: SplitTable, { unknownRole, oldColumns }: SplitCountsOptions): string[] {
  const side = sideOf(split, unknownRole)
  const pairs = oldOf(split)
  const untouched = pairs.map((pair) => isUnsplit(pair)).join(' and ')
  const isNull = anyOf([`${side} is null`, ...pairs.map(({ old }) => `${old.sql} is null`)])
  const hasCount = anyOf(pairs.map(({ old, input }) => (input.found ? `${old.sql} is not null` : 'true')))
  const unclear = pairs.length > 0 ? [`${untouched} and (${isNull}) and (${hasCount})`] : []
  const lost = pairs.map((pair) => `${isUnsplit(pair)} and ${side} is null and ${pair.old.sql} <> 0`)
  const changed = pairs
    .filter(({ input }) => input.found !== undefined)
    .map(
      ({ old, input, output }) =>
        `${old.sql} <> 0 and coalesce(${input.sql}, ${output.sql}) is not null and coalesce(${input.sql}, 0) + coalesce(${output.sql}, 0) <> ${old.sql}`,
    )
  return [...(unknownRole === undefined ? unclear : []), ...(oldColumns === 'drop' ? [...lost, ...changed] : [])]
}

async function countUnsplit(
  client: ClientBase,
  split: SplitTable,
  { unknownRole }: SplitCountsOptions,
): Promise<Pick<SplitPlan, 'rows' | 'skipped'>> {
  const side = sideOf(split, unknownRole)
  const unsplit = anyOf(oldOf(split).map((pair) => `${isUnsplit(pair)} and ${pair.old.sql} is not null`))
  const { rows } = await client.query<{ rows: number; skipped: number }>(
    `select count(${side})::float8 as rows, (count(*) - count(${side}))::float8 as skipped
    from ${split.table.sql}
    where ${unsplit}`,
  )
  return rows[0] ?? { rows: 0, skipped: 0 }
}

// Without "cascade" PostgreSQL refuses for a view, but drops an index or a constraint on several columns in silence.
async function refuseDependents(client: ClientBase, { table }: SplitTable, columns: readonly Column[]): Promise<void> {
  const dependents = await findDependents(client, table, columns)
  if (dependents.length === 0) return
  throw new TokenLedgerError(
    'TOKENLEDGER_REFUSED',
    `${columns.map(({ name }) => name).join(' and ')} of ${table.name} cannot be dropped: ${dependents.join(', ')} would be lost. Drop or change that first. Nothing was changed.`,
  )
}

function oldOf({ pairs }: SplitTable): (Pair & { readonly old: Column })[] {
  return pairs.flatMap((pair) => (pair.old ? [{ ...pair, old: pair.old }] : []))
}

// As they are once the columns were added.
function withNewColumns(split: SplitTable): SplitTable {
  const pairs = split.pairs.map((pair) => {
    const { old, input, output } = pair
    if (old === undefined || input.found !== undefined) return pair
    return { ...pair, input: { ...input, found: old }, output: { ...output, found: old } }
  })
  return { ...split, pairs }
}
