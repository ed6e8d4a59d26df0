import type pg from 'pg'
import { TokenLedgerError } from '../errors.js'
import { inTransaction } from '../postgres/transaction.js'
import { explainRefusals } from './describe-refusal.js'
import { planRollback } from './split-counts-rollback.js'
import { planSplit } from './split-counts-split.js'
import { checkSums, compareSums, rememberSums } from './split-counts-sql.js'
import { findSplitTable, type SplitCountsOptions, type SplitPlan } from './split-counts-table.js'

/** Sums of one role, or of all rows (`total`), as decimal texts, by the name of the column. */
export type RoleSums = { readonly role: string; readonly rows: number; readonly sums: Readonly<Record<string, string>> }

export type SplitCountsResult = Pick<SplitPlan, 'done' | 'rows' | 'skipped' | 'droppedColumns'> & {
  /** With its schema. */
  readonly table: string
  /** What the columns hold now, by role and in total; empty where no row was moved. */
  readonly sums: readonly RoleSums[]
}

/** What a run would do: its statements in order, all in one transaction, none where there is nothing to do. */
export type SplitCountsPreview = Omit<SplitCountsResult, 'sums'> & { readonly statements: readonly string[] }

/** `split` moves the counts into the new columns; `restore` moves them back and drops the new columns. */
export type SplitDirection = 'split' | 'restore'

const planners = { split: planSplit, restore: planRollback }

function begin(access: 'read only' | 'read write'): string {
  return `begin isolation level read committed ${access};
    set local statement_timeout = 0;
    set local idle_in_transaction_session_timeout = 0;
    set local lock_timeout = '5s';
    set local row_security = off`
}

/** What `splitCounts` would do now. Changes nothing; throws what that would throw for rows that stop it. */
export function previewSplitCounts(
  pool: pg.Pool,
  options: SplitCountsOptions,
  direction: SplitDirection = 'split',
): Promise<SplitCountsPreview> {
  return explainRefusals(() =>
    inTransaction(pool, begin('read only'), async (client) => {
      const plan = await planners[direction](client, options)
      return { ...summaryOf(plan), statements: statementsOf(plan) }
    }),
  )
}

/**
 * Turns one count for each message into one of input and one of output, by role: what users and the system said is input,
 * what the assistant said is output. One transaction, in which the table is locked: new columns of the old ones' types
 * are added, the counts moved, and the sums per role and in total compared with those of before. Throws a
 * `TokenLedgerError`, and changes nothing, where they differ or where rows stand in the way, whose ids it names.
 * Running it again moves what was written to the old columns since.
 */
export function splitCounts(
  pool: pg.Pool,
  options: SplitCountsOptions,
  direction: SplitDirection = 'split',
): Promise<SplitCountsResult> {
  return explainRefusals(() =>
    inTransaction(pool, begin('read write'), async (client) => {
      const { table } = await findSplitTable(client, options)
      await client.query(lock(table.sql))
      const plan = await planners[direction](client, options)
      return { ...summaryOf(plan), sums: await execute(client, plan) }
    }),
  )
}

function summaryOf({ split, done, rows, skipped, droppedColumns }: SplitPlan): Omit<SplitCountsResult, 'sums'> {
  return { table: split.table.name, done, rows, skipped, droppedColumns }
}

function lock(table: string): string {
  return `lock table ${table} in access exclusive mode`
}

function statementsOf({ done, split, prepare, move, finish, moves }: SplitPlan): string[] {
  if (done === 'none') return []
  const checked = move === undefined ? [] : [rememberSums(split, moves), move, checkSums(split, moves)]
  return [lock(split.table.sql), ...prepare, ...checked, ...finish]
}

async function execute(client: pg.PoolClient, plan: SplitPlan): Promise<RoleSums[]> {
  for (const statement of plan.prepare) await client.query(statement)
  const sums = plan.move === undefined ? [] : await moveAndCompare(client, plan.move, plan)
  for (const statement of plan.finish) await client.query(statement)
  return sums
}

type Compared = { readonly label: string; readonly rows: number; readonly isEqual: boolean | null } & Readonly<
  Record<string, unknown>
>

async function moveAndCompare(
  client: pg.PoolClient,
  move: string,
  { split, moves }: Pick<SplitPlan, 'split' | 'moves'>,
): Promise<RoleSums[]> {
  await client.query(rememberSums(split, moves))
  await client.query(move)
  const { rows } = await client.query<Compared>(compareSums(split, moves))
  const different = rows.filter(({ isEqual }) => isEqual !== true).map(({ label }) => label)
  if (different.length > 0) {
    throw new TokenLedgerError(
      'TOKENLEDGER_REFUSED',
      `The sums of ${split.table.name} differ afterwards (${different.join(', ')}), perhaps because a trigger changes what is written. Nothing was changed.`,
    )
  }
  return rows.map(({ label, rows: count, ...values }) => ({
    role: label,
    rows: count,
    sums: Object.fromEntries(moves.map(({ name }, i) => [name, String(values[`value${i}`])])),
  }))
}
