import type { ClientBase } from 'pg'
import { TokenLedgerError } from '../errors.js'
import { type Column, findColumn, findTable, getColumn, type Table } from '../postgres/find-table.js'

/** Names are taken exactly, or as SQL reads them: in quotes, with a schema, or in lower case. */
export type BackfillOptions = {
  readonly table: string
  /** `prompt` by default. */
  readonly promptColumn?: string
  /** Where the responses are; without it `responseColumn`, if given, is a column of the same table. */
  readonly responseTable?: string
  /** `response` by default, where there is a table of them. */
  readonly responseColumn?: string
  /** The column of `responseTable` that holds the id of the prompt, `prompt_id` by default. */
  readonly responseKey?: string
  /** The counts to fill where they are 0 or NULL. May be left out with `intoLog`, which then takes every row. */
  readonly tokensColumn?: string
  /** `id` by default. It has to be unique. */
  readonly idColumn?: string
  /** `timestamp` by default. A time without a zone is taken for UTC. */
  readonly timeColumn?: string
  /** A table of one row per user, whose `quotaColumn` (`used_today` by default) grows by the tokens of the user. */
  readonly quotaTable?: string
  readonly quotaColumn?: string
  /** The user, in the table and in `quotaTable`; `user_id` by default. */
  readonly userColumn?: string
  /** `chars`, the default, counts characters; `tokenizer` uses gpt-tokenizer, or `chars` where that is not installed. */
  readonly method?: 'chars' | 'tokenizer'
  /** The model of all rows, or the column that has it. */
  readonly model?: string
  readonly modelColumn?: string
  /** Also adds a row to `token_usage_logs` for each, with `usage_source = 'estimated'`. */
  readonly intoLog?: boolean
}

export type Responses = { readonly column: Column; readonly table?: Table; readonly key?: Column }
export type Quota = { readonly table: Table; readonly column: Column; readonly user: Column }

export type BackfillTable = {
  readonly table: Table
  readonly id: Column
  readonly time: Column
  readonly prompt: Column
  readonly responses?: Responses
  readonly tokens?: Column
  readonly user?: Column
  readonly model?: Column
  readonly quota?: Quota
}

/** Finds all tables and columns that the options name. Throws a `TokenLedgerError` that names the first that is missing. */
export async function findBackfillTable(client: ClientBase, options: BackfillOptions): Promise<BackfillTable> {
  const { tokensColumn, userColumn, modelColumn, quotaTable } = options
  if (tokensColumn === undefined && !options.intoLog) {
    throw new TokenLedgerError('TOKENLEDGER_NOT_FOUND', 'No column to fill is named; --tokens-column names it.')
  }
  if (quotaTable !== undefined && tokensColumn === undefined) {
    throw new TokenLedgerError(
      'TOKENLEDGER_REFUSED',
      '--quota-table needs --tokens-column: without a count that is filled nothing tells which tokens were added before.',
    )
  }
  const table = await findTable(client, options.table)
  const needsUser = userColumn !== undefined || quotaTable !== undefined
  return {
    table,
    id: getUniqueColumn(table, options.idColumn ?? 'id', '--id-column'),
    time: getColumn(table, options.timeColumn ?? 'timestamp', '--time-column'),
    prompt: getColumn(table, options.promptColumn ?? 'prompt', '--prompt-column'),
    responses: await findResponses(client, table, options),
    tokens: tokensColumn === undefined ? undefined : getColumn(table, tokensColumn, '--tokens-column'),
    user: needsUser ? getColumn(table, userColumn ?? 'user_id', '--user-column') : findColumn(table, 'user_id'),
    model: modelColumn === undefined ? undefined : getColumn(table, modelColumn, '--model-column'),
    quota: quotaTable === undefined ? undefined : await findQuota(client, quotaTable, options),
  }
}

async function findResponses(
  client: ClientBase,
  prompts: Table,
  { responseTable, responseColumn, responseKey }: BackfillOptions,
): Promise<Responses | undefined> {
  if (responseTable === undefined) {
    return responseColumn === undefined
      ? undefined
      : { column: getColumn(prompts, responseColumn, '--response-column') }
  }
  const table = await findTable(client, responseTable)
  return {
    table,
    column: getColumn(table, responseColumn ?? 'response', '--response-column'),
    key: getColumn(table, responseKey ?? 'prompt_id', '--response-key'),
  }
}

async function findQuota(client: ClientBase, quotaTable: string, options: BackfillOptions): Promise<Quota> {
  const table = await findTable(client, quotaTable)
  return {
    table,
    column: getColumn(table, options.quotaColumn ?? 'used_today', '--quota-column'),
    user: getUniqueColumn(table, options.userColumn ?? 'user_id', '--user-column'),
  }
}

// Twice the same id would be counted twice, and a user of two quotas charged twice.
function getUniqueColumn(table: Table, written: string, flag: string): Column {
  const column = getColumn(table, written, flag)
  if (column.isUnique) return column
  throw new TokenLedgerError(
    'TOKENLEDGER_REFUSED',
    `${column.name} of ${table.name} has no unique index of its own, so that it may name several rows; ${flag} names another.`,
  )
}
