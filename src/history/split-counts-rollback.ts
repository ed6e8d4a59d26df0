import type { ClientBase } from 'pg'
import { TokenLedgerError } from '../errors.js'
import type { Column } from '../postgres/find-table.js'
import { quoteIdentifier } from '../postgres/identifiers.js'
import { findStuckRows } from './split-counts-obstacles.js'
import { anyOf, type OldColumn, readOldColumn } from './split-counts-sql.js'
import {
  findSplitTable,
  type Move,
  type Pair,
  type SplitCountsOptions,
  type SplitPlan,
  type SplitTable,
} from './split-counts-table.js'

type Restored = Pair & { readonly old: Column; readonly memory: OldColumn; readonly isMissing: boolean }

/**
 * Moves the counts back where the old column has none, which is also so for rows written since the split, and drops the
 * new columns. Columns that the split did not add are left alone.
 */
export async function planRollback(client: ClientBase, options: SplitCountsOptions): Promise<SplitPlan> {
  const split = await findSplitTable(client, options)
  const pairs = split.pairs.flatMap((pair) => restoredOf(split, pair))
  const { table } = split
  if (pairs.length > 0) await refuseChangedRows(client, split, pairs)
  const condition = anyOf(pairs.map(isToRestore))
  const { rows: counts } = await client.query<{ rows: number }>(
    `select count(*)::float8 as rows from ${table.sql} where ${condition}`,
  )
  return {
    done: pairs.length > 0 ? 'restored' : 'none',
    rows: counts[0]?.rows ?? 0,
    skipped: 0,
    droppedColumns: pairs.flatMap(({ input, output }) => [input.name, output.name]),
    prepare: pairs
      .filter(({ isMissing }) => isMissing)
      .map(({ old }) => `alter table ${table.sql} add column ${old.sql} ${old.type}`),
    move: pairs.length > 0 ? restoreCounts(split, pairs) : undefined,
    moves: pairs.map(restoreMove),
    finish: [
      ...pairs.filter(({ isMissing }) => isMissing).flatMap((pair) => restoreRules(table.sql, pair)),
      ...pairs.map(
        ({ input, output }) => `alter table ${table.sql} drop column ${input.sql}, drop column ${output.sql}`,
      ),
    ],
    split: { ...split, pairs },
  }
}

function restoredOf({ table }: SplitTable, pair: Pair): Restored[] {
  if (pair.input.found === undefined) return []
  const memory = readOldColumn(pair.input)
  if (memory === undefined) {
    throw new TokenLedgerError(
      'TOKENLEDGER_REFUSED',
      `${pair.input.name} of ${table.name} was not added by split-counts, or its comment was changed, so that it is not dropped. Nothing was changed.`,
    )
  }
  const old = table.columns.find(({ name }) => name === memory.column)
  const added = { ...pair.input.found, name: memory.column, sql: quoteIdentifier(memory.column) }
  return [{ ...pair, old: old ?? added, memory, isMissing: old === undefined }]
}

// Before the old column is added again it has nothing.
function isToRestore({ old, input, output, isMissing }: Restored): string {
  const isEmpty = isMissing ? 'true' : `coalesce(${old.sql}, 0) = 0`
  return `${isEmpty} and coalesce(${input.sql}, ${output.sql}) is not null`
}

function sumOf({ input, output }: Pair): string {
  return `coalesce(${input.sql}, 0) + coalesce(${output.sql}, 0)`
}

function restoreMove(pair: Restored): Move {
  const { old } = pair
  return { name: old.name, value: old.sql, added: `case when ${isToRestore(pair)} then ${sumOf(pair)} end` }
}

function restoreCounts({ table }: SplitTable, pairs: readonly Restored[]): string {
  const assignments = pairs.map(
    (pair) => `${pair.old.sql} = case when ${isToRestore(pair)} then ${sumOf(pair)} else ${pair.old.sql} end`,
  )
  return `update ${table.sql} set\n  ${assignments.join(',\n  ')}\nwhere ${anyOf(pairs.map(isToRestore))}`
}

function restoreRules(table: string, { old, memory }: Restored): string[] {
  return [
    ...(memory.default === null ? [] : [`alter table ${table} alter column ${old.sql} set default ${memory.default}`]),
    ...(memory.isNotNull ? [`alter table ${table} alter column ${old.sql} set not null`] : []),
  ]
}

async function refuseChangedRows(client: ClientBase, split: SplitTable, pairs: readonly Restored[]): Promise<void> {
  const changed = pairs
    .filter(({ isMissing }) => !isMissing)
    .map(
      (pair) =>
        `${pair.old.sql} <> 0 and coalesce(${pair.input.sql}, ${pair.output.sql}) is not null and ${sumOf(pair)} <> ${pair.old.sql}`,
    )
  const { rows, examples } = await findStuckRows(client, split, changed)
  if (rows === 0) return
  throw new TokenLedgerError(
    'TOKENLEDGER_REFUSED',
    `${rows} rows of ${split.table.name} have other counts than before the split: ${examples.map(({ id }) => id).join(', ')}${rows > examples.length ? ' and more' : ''}. Make their old and new counts equal first. Nothing was changed.`,
  )
}
