import type { ClientBase } from 'pg'
import { TokenLedgerError } from '../errors.js'
import { type Column, findColumn, findTable, getColumn, type Table } from '../postgres/find-table.js'
import { quoteIdentifier } from '../postgres/identifiers.js'

/** Names are taken exactly, or as SQL reads them: in quotes, with a schema, or in lower case. */
export type SplitCountsOptions = {
  readonly table: string
  /** `role` by default. */
  readonly roleColumn?: string
  /** The old columns: `tokenCount` and `tokenCost` by default, or their spellings `tokencount` and `token_count`. */
  readonly tokensColumn?: string
  readonly costColumn?: string
  /** The new columns: `token_count_input`, `token_count_output`, `token_cost_input`, `token_cost_output` by default. */
  readonly inputTokensColumn?: string
  readonly outputTokensColumn?: string
  readonly inputCostColumn?: string
  readonly outputCostColumn?: string
  /**
   * What becomes of rows whose role is none of user, system and assistant: their counts are input, or output, or stay
   * where they are. Without it such rows, and rows without a count or a cost, stop the run. A NULL stays NULL.
   */
  readonly unknownRole?: 'input' | 'output' | 'skip'
  /** `keep` by default; `drop` drops the old columns once everything in them is moved. */
  readonly oldColumns?: 'keep' | 'drop'
}

/** A new column, which may not be there yet. */
export type NewColumn = { readonly name: string; readonly sql: string; readonly found?: Column }

/** An old column and the two it becomes. */
export type Pair = {
  readonly what: 'tokens' | 'cost'
  readonly old?: Column
  readonly input: NewColumn
  readonly output: NewColumn
}

export type SplitTable = { readonly table: Table; readonly role: Column; readonly pairs: readonly Pair[] }

/** A column whose sums are compared before and after: what it holds, and what the run adds to it, in SQL. */
export type Move = { readonly name: string; readonly value: string; readonly added: string }

/** What a run does, in order, in one transaction. */
export type SplitPlan = {
  /** `none` where there is nothing to do. */
  readonly done: 'split' | 'dropped' | 'restored' | 'none'
  /** How many rows get counts in other columns, and how many stay as they are though they have some. */
  readonly rows: number
  readonly skipped: number
  readonly droppedColumns: readonly string[]
  /** Before the sums are remembered, between that and their comparison, and after. */
  readonly prepare: readonly string[]
  readonly move?: string
  readonly finish: readonly string[]
  /** The table as it is once `prepare` has run. */
  readonly split: SplitTable
  readonly moves: readonly Move[]
}

type Names = {
  readonly what: Pair['what']
  readonly old?: string
  readonly oldSpellings: readonly string[]
  readonly oldFlag: string
  readonly input: string
  readonly output: string
}

const numeric = /^(smallint|integer|bigint|numeric(\(\d+,-?\d+\))?|real|double precision)$/

/** Finds the table and the columns that are there. Throws a `TokenLedgerError` for what cannot be split. */
export async function findSplitTable(client: ClientBase, options: SplitCountsOptions): Promise<SplitTable> {
  const table = await findTable(client, options.table)
  const pairs = namesOf(options)
    .map((names) => findPair(table, names))
    .filter(({ old, input }) => old !== undefined || input.found !== undefined)
  if (pairs.length === 0) {
    const names = table.columns.map(({ name }) => name).join(', ')
    throw new TokenLedgerError(
      'TOKENLEDGER_NOT_FOUND',
      `The table ${table.name} has no column tokenCount or tokenCost. It has ${names}; --tokens-column and --cost-column name the ones to split.`,
    )
  }
  const columns = pairs.flatMap(({ old, input, output }) => [old?.name ?? '', input.name, output.name]).filter(Boolean)
  if (new Set(columns).size < columns.length) {
    throw new TokenLedgerError('TOKENLEDGER_NAME', `The columns have to differ from each other: ${columns.join(', ')}.`)
  }
  return { table, role: getColumn(table, options.roleColumn ?? 'role', '--role-column'), pairs }
}

function namesOf(options: SplitCountsOptions): Names[] {
  return [
    {
      what: 'tokens',
      old: options.tokensColumn,
      oldSpellings: ['tokenCount', 'tokencount', 'token_count'],
      oldFlag: '--tokens-column',
      input: options.inputTokensColumn ?? 'token_count_input',
      output: options.outputTokensColumn ?? 'token_count_output',
    },
    {
      what: 'cost',
      old: options.costColumn,
      oldSpellings: ['tokenCost', 'tokencost', 'token_cost'],
      oldFlag: '--cost-column',
      input: options.inputCostColumn ?? 'token_cost_input',
      output: options.outputCostColumn ?? 'token_cost_output',
    },
  ]
}

function findPair(table: Table, names: Names): Pair {
  const input = findNewColumn(table, names.input)
  const output = findNewColumn(table, names.output)
  if ((input.found === undefined) !== (output.found === undefined)) {
    const [there, missing] = input.found ? [input, output] : [output, input]
    throw new TokenLedgerError(
      'TOKENLEDGER_REFUSED',
      `The table ${table.name} has ${there.name} and lacks ${missing.name}. Name others with --input-${names.what}-column and --output-${names.what}-column.`,
    )
  }
  const old = findOldColumn(table, names, input.found !== undefined)
  if (old && !numeric.test(old.type)) {
    throw new TokenLedgerError(
      'TOKENLEDGER_REFUSED',
      `The column ${old.name} of ${table.name} is of type ${old.type}, and not an integer, numeric, real or double precision.`,
    )
  }
  return { what: names.what, old, input, output }
}

function findNewColumn(table: Table, written: string): NewColumn {
  const found = findColumn(table, written)
  const name = found?.name ?? (/^".+"$/.test(written) ? written.slice(1, -1).replaceAll('""', '"') : written)
  return { name, sql: quoteIdentifier(name), found }
}

// A column that was named has to be there, unless it was dropped after it had been split.
function findOldColumn(table: Table, names: Names, isSplit: boolean): Column | undefined {
  if (names.old !== undefined)
    return isSplit ? findColumn(table, names.old) : getColumn(table, names.old, names.oldFlag)
  const found = table.columns.filter(({ name }) => names.oldSpellings.includes(name))
  if (found.length > 1) {
    throw new TokenLedgerError(
      'TOKENLEDGER_REFUSED',
      `The table ${table.name} has ${found.map(({ name }) => name).join(' and ')}. Name the one to split with ${names.oldFlag}.`,
    )
  }
  return found[0]
}
