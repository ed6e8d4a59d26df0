import type { Column } from '../postgres/find-table.js'
import { quoteLiteral } from '../postgres/identifiers.js'
import type { Move, NewColumn, Pair, SplitCountsOptions, SplitTable } from './split-counts-table.js'

/** What is known of an old column that was dropped, kept in the comment of the new one. */
export type OldColumn = {
  readonly column: string
  readonly type: string
  readonly isNotNull: boolean
  readonly default: string | null
}

const before = 'pg_temp.tokenledger_split_counts'
const marker = 'tokenledger split-counts: '
const simpleDefault = /^'?-?\d+(\.\d+)?'?(::[a-z ]+(\(\d+,\d+\))?)?$/

/** `user`, `system`, `assistant` or `other`. */
function labelOf({ role }: SplitTable): string {
  return `case when ${role.sql}::text in ('user', 'system', 'assistant') then ${role.sql}::text else 'other' end`
}

/** `input`, `output`, or null for a row that stays as it is. */
export function sideOf({ role }: SplitTable, unknownRole: SplitCountsOptions['unknownRole']): string {
  const other = unknownRole === 'input' || unknownRole === 'output' ? `'${unknownRole}'` : 'null'
  return `case when ${role.sql}::text in ('user', 'system') then 'input' when ${role.sql}::text = 'assistant' then 'output' else ${other} end`
}

/** The pair has no counts in its new columns yet, which need not be there. */
export function isUnsplit({ input, output }: Pair): string {
  return [input, output].map(({ sql, found }) => (found ? `${sql} is null` : 'true')).join(' and ')
}

export function anyOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? 'false' : conditions.map((condition) => `(${condition})`).join(' or ')
}

/** Adds the new columns, with what is known of the old one in a comment, which `--rollback` reads. */
export function addColumns({ table, pairs }: SplitTable): string[] {
  return pairs.flatMap(({ old, input, output }) => {
    if (old === undefined || input.found !== undefined) return []
    const memory: OldColumn = {
      column: old.name,
      type: old.type,
      isNotNull: old.isNotNull,
      default: old.default !== null && simpleDefault.test(old.default) ? old.default : null,
    }
    return [
      `alter table ${table.sql} add column ${input.sql} ${old.type}, add column ${output.sql} ${old.type}`,
      `comment on column ${table.sql}.${input.sql} is ${quoteLiteral(marker + JSON.stringify(memory))}`,
    ]
  })
}

/** What `addColumns` wrote down; undefined for a column that it did not add. */
export function readOldColumn({ found }: NewColumn): OldColumn | undefined {
  if (!found?.comment?.startsWith(marker)) return undefined
  try {
    const memory = JSON.parse(found.comment.slice(marker.length))
    const isSafe = memory.default === null || simpleDefault.test(memory.default)
    return typeof memory.column === 'string' && isSafe ? { ...memory, type: found.type } : undefined
  } catch {
    return undefined
  }
}

/** The moves of a split, over new columns that are there. */
export function splitMoves(split: SplitTable, unknownRole: SplitCountsOptions['unknownRole']): Move[] {
  const side = sideOf(split, unknownRole)
  return split.pairs.flatMap((pair) => {
    const { old, input, output } = pair
    if (old === undefined) return []
    const added = (to: string) => `case when ${isUnsplit(pair)} and ${side} = '${to}' then ${old.sql} end`
    return [
      { name: input.name, value: input.sql, added: added('input') },
      { name: output.name, value: output.sql, added: added('output') },
    ]
  })
}

/** Moves what is not moved yet. The other side becomes 0; what is NULL stays NULL on both. */
export function moveCounts(split: SplitTable, unknownRole: SplitCountsOptions['unknownRole']): string {
  const side = sideOf(split, unknownRole)
  const movable = (old: Column, pair: Pair) => `${isUnsplit(pair)} and ${old.sql} is not null`
  const pairs = split.pairs.flatMap((pair) => (pair.old ? [{ pair, old: pair.old }] : []))
  const assignments = pairs.flatMap(({ pair, old }) =>
    [
      { column: pair.input, to: 'input' },
      { column: pair.output, to: 'output' },
    ].map(
      ({ column, to }) =>
        `${column.sql} = case when ${movable(old, pair)} then case when ${side} = '${to}' then ${old.sql} else 0 end else ${column.sql} end`,
    ),
  )
  const moved = anyOf(pairs.map(({ pair, old }) => movable(old, pair)))
  return `update ${split.table.sql} set\n  ${assignments.join(',\n  ')}\nwhere ${side} is not null\n  and (${moved})`
}

/** Sums of the columns per role and in total. */
function sums(split: SplitTable, columns: readonly { readonly as: string; readonly sql: string }[]): string {
  const values = columns.map(({ as, sql }) => `(${sql})::numeric as ${as}`)
  const totals = columns.map(({ as }) => `coalesce(sum(${as}), 0) as ${as}`)
  return `select coalesce(label, 'total') as label, count(*) as rows, ${totals.join(', ')}
from (select ${labelOf(split)} as label, ${values.join(', ')} from ${split.table.sql}) as counts
group by rollup (label)`
}

/** Remembers the sums, and what is to be added to them, until the transaction ends. */
export function rememberSums(split: SplitTable, moves: readonly Move[]): string {
  const columns = moves.flatMap(({ value, added }, i) => [
    { as: `value${i}`, sql: value },
    { as: `added${i}`, sql: added },
  ])
  return `create temporary table ${before.replace('pg_temp.', '')} on commit drop as\n${sums(split, columns)}`
}

/** The sums now, by role, each with whether they are those of before and what was to be added. */
export function compareSums(split: SplitTable, moves: readonly Move[]): string {
  const isEqual = moves.map((_, i) => `now.value${i} = before.value${i} + before.added${i}`)
  const columns = moves.map(({ value }, i) => ({ as: `value${i}`, sql: value }))
  return `select label, now.rows::float8 as rows, now.rows = before.rows and ${isEqual.join(' and ')} as "isEqual",
  ${moves.map((_, i) => `now.value${i}::text as value${i}`).join(', ')}
from ${before} as before
full join (${sums(split, columns)}) as now using (label)
order by label = 'total', label`
}

/** The comparison as a statement that fails, with a division by zero, where sums differ. */
export function checkSums(split: SplitTable, moves: readonly Move[]): string {
  return `select 1 / bool_and(coalesce("isEqual", false))::int as sums_are_equal\nfrom (${compareSums(split, moves)}) as compared`
}
