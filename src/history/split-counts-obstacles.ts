import type { ClientBase } from 'pg'
import type { Column, Table } from '../postgres/find-table.js'
import { quoteLiteral as literal } from '../postgres/identifiers.js'
import { anyOf } from './split-counts-sql.js'
import type { SplitTable } from './split-counts-table.js'

export type StuckRows = {
  readonly rows: number
  /** The first 20, by the primary key, or by the place in the table where there is none. */
  readonly examples: readonly { readonly id: string; readonly reason: string }[]
}

const examples = 20

/** Rows for which one of the conditions holds, with what is wrong with each. */
export async function findStuckRows(
  client: ClientBase,
  split: SplitTable,
  conditions: readonly string[],
): Promise<StuckRows> {
  const { table, role } = split
  const where = anyOf(conditions)
  const { rows: counts } = await client.query<{ rows: number }>(
    `select count(*)::float8 as rows from ${table.sql} where ${where}`,
  )
  const key = table.columns.filter(({ keyPosition }) => keyPosition !== null)
  const id = key.length > 0 ? `concat_ws('/', ${key.map(({ sql }) => sql).join(', ')})` : 'ctid::text'
  const order = key.length > 0 ? key.map(({ sql }) => `messages.${sql}`).join(', ') : 'ctid'
  const olds = split.pairs.flatMap(({ old }) => (old ? [old] : []))
  const isNull = olds.map(({ sql, name }) => `when ${sql} is null then ${literal(`no ${name}`)}`)
  const { rows } = await client.query<{ id: string; reason: string }>(
    `select
      ${id} as id,
      case
        when ${role.sql} is null then 'no role'
        when ${role.sql}::text not in ('user', 'system', 'assistant') then 'role ' || left(${role.sql}::text, 40)
        ${isNull.join('\n        ')}
        else 'its new counts add up to another sum'
      end as reason
    from ${table.sql} as messages
    where ${where}
    order by ${order}
    limit ${examples}`,
  )
  return { rows: counts[0]?.rows ?? 0, examples: rows }
}

const selectDependents = `
  select distinct pg_describe_object(classid, objid, objsubid) as dependent
  from pg_depend
  where refclassid = 'pg_class'::regclass
    and refobjid = $1::regclass
    and refobjsubid = any(
      select attnum from pg_attribute where attrelid = $1::regclass and attname = any($2::text[])
    )
    and classid <> 'pg_attrdef'::regclass
    and not exists (
      select from pg_constraint where classid = 'pg_constraint'::regclass and oid = objid and contype = 'n'
    )
  order by 1`

/** What goes with the columns if they are dropped, or keeps them from it: indexes, constraints, views. */
export async function findDependents(
  client: ClientBase,
  table: Table,
  columns: readonly Column[],
): Promise<readonly string[]> {
  const { rows } = await client.query<{ dependent: string }>(selectDependents, [
    table.sql,
    columns.map(({ name }) => name),
  ])
  return rows.map(({ dependent }) => dependent)
}
