import type { ClientBase } from 'pg'
import { TokenLedgerError } from '../errors.js'
import { type NameReading, quoteIdentifier, readingsOfName } from './identifiers.js'

export type Column = {
  readonly name: string
  /** The name as SQL takes it. */
  readonly sql: string
  /** As PostgreSQL writes it: `integer`, `numeric(12,6)`. */
  readonly type: string
  readonly isNotNull: boolean
  /** The expression of its default. */
  readonly default: string | null
  readonly comment: string | null
  /** A unique index is on this column alone. */
  readonly isUnique: boolean
  /** Its place in the primary key, from 1. */
  readonly keyPosition: number | null
}

export type Table = {
  /** Schema and name for a person: `public.prompts`. */
  readonly name: string
  /** Schema and name as SQL takes them. */
  readonly sql: string
  readonly columns: readonly Column[]
}

type Relation = { readonly oid: number; readonly schema: string; readonly name: string; readonly isVisible: boolean }

const selectRelations = `
  select
    relations.oid::int8::float8 as oid,
    schemas.nspname as schema,
    relations.relname as name,
    pg_table_is_visible(relations.oid) as "isVisible"
  from pg_class as relations
  join pg_namespace as schemas on schemas.oid = relations.relnamespace
  where relations.relkind in ('r', 'p')
    and relations.relname = any($1::text[])`

const selectColumns = `
  select
    columns.attname as name,
    format_type(columns.atttypid, columns.atttypmod) as type,
    columns.attnotnull as "isNotNull",
    pg_get_expr(defaults.adbin, defaults.adrelid) as default,
    col_description(columns.attrelid, columns.attnum) as comment,
    exists (
      select
      from pg_index
      where indrelid = columns.attrelid
        and indisunique
        and indisvalid
        and indpred is null
        and indnkeyatts = 1
        and indkey[0] = columns.attnum
    ) as "isUnique",
    array_position(keys.conkey, columns.attnum) as "keyPosition"
  from pg_attribute as columns
  left join pg_attrdef as defaults on defaults.adrelid = columns.attrelid and defaults.adnum = columns.attnum
  left join pg_constraint as keys on keys.conrelid = columns.attrelid and keys.contype = 'p'
  where columns.attrelid = $1::oid
    and columns.attnum > 0
    and not columns.attisdropped
  order by columns.attnum`

/**
 * The table that `written` names, exactly or as SQL reads it, with or without a schema. Throws a `TokenLedgerError` with
 * the code `TOKENLEDGER_NOT_FOUND` where there is none.
 */
export async function findTable(client: ClientBase, written: string): Promise<Table> {
  const readings = readingsOfName(written)
  const { rows: relations } = await client.query<Relation>(selectRelations, [readings.map(({ name }) => name)])
  const relation = firstOf(readings, relations)
  if (!relation) {
    throw new TokenLedgerError(
      'TOKENLEDGER_NOT_FOUND',
      `There is no table ${JSON.stringify(written)} in this database. Name it with its schema if the search path lacks that.`,
    )
  }
  const { rows } = await client.query<Omit<Column, 'sql'>>(selectColumns, [relation.oid])
  return {
    name: `${relation.schema}.${relation.name}`,
    sql: `${quoteIdentifier(relation.schema)}.${quoteIdentifier(relation.name)}`,
    columns: rows.map((column) => ({ ...column, sql: quoteIdentifier(column.name) })),
  }
}

/** The column that `written` names, exactly, in quotes, or in lower case; undefined where the table has none. */
export function findColumn(table: Table, written: string): Column | undefined {
  for (const { schema, name } of readingsOfName(written)) {
    const column = schema === undefined ? table.columns.find((candidate) => candidate.name === name) : undefined
    if (column) return column
  }
  return undefined
}

/** The same, but throws where there is none, naming the `flag` that names another. */
export function getColumn(table: Table, written: string, flag: string): Column {
  const column = findColumn(table, written)
  if (column) return column
  const names = table.columns.map(({ name }) => name).join(', ')
  throw new TokenLedgerError(
    'TOKENLEDGER_NOT_FOUND',
    `The table ${table.name} has no column ${JSON.stringify(written)}. It has ${names}; ${flag} names the one to use.`,
  )
}

function firstOf(readings: readonly NameReading[], relations: readonly Relation[]): Relation | undefined {
  for (const { schema, name } of readings) {
    const found = relations.find(
      (relation) => relation.name === name && (schema === undefined ? relation.isVisible : relation.schema === schema),
    )
    if (found) return found
  }
  return undefined
}
