import type pg from 'pg'
import { countStaged, openStage, type StoredCounts, stageRecords, storeStaged } from '../postgres/stage-records.js'
import { inTransaction } from '../postgres/transaction.js'
import { toEstimatedRecord, withoutLogged } from './backfill-log.js'
import {
  type BackfillMethod,
  chooseMethod,
  countRows,
  type EstimatedRow,
  type RowQuery,
  readRows,
} from './backfill-rows.js'
import { type BackfillOptions, type BackfillTable, findBackfillTable } from './backfill-table.js'
import {
  addToQuotas,
  addToUserSums,
  countUsers,
  openUserSums,
  type QuotaChange,
  readQuotaChanges,
  type UserSummary,
} from './backfill-users.js'
import { explainRefusals } from './describe-refusal.js'

export type BackfillRun = {
  /** `run` by default; `dry-run` changes nothing. */
  readonly mode?: 'run' | 'dry-run'
  /** Told each row and its estimate, the newest first. */
  readonly onRow?: (row: EstimatedRow) => void
  /** Told each quota that changes, after the rows; in a dry run only. */
  readonly onQuota?: (change: QuotaChange) => void
  /** Told how far it is: every 10 rows, or every 1,000 where there are more than 1,000. */
  readonly onProgress?: (done: number, total: number) => void
}

export type BackfillResult = {
  readonly table: string
  readonly mode: 'run' | 'dry-run'
  /** `chars` where gpt-tokenizer was asked for and is not installed. */
  readonly method: BackfillMethod
  /** Rows that got a count, or would. */
  readonly rows: number
  readonly tokens: number
  /** Undefined where no column names the user. */
  readonly users?: number
  readonly quotas: number
  /** Users whom the quota table does not have. */
  readonly withoutQuota: number
  /** Rows added to `token_usage_logs`, or that would be. */
  readonly logged: number
  /** Rows that the log refused, or would, because their user was erased or their day pruned. */
  readonly refused: number
  /** Rows that the log did not get for having no time, or none from 2000 on. */
  readonly withoutTime: number
}

type Work = {
  readonly client: pg.PoolClient
  readonly options: BackfillOptions & Required<Pick<BackfillRun, 'mode'>>
  readonly found: BackfillTable
  readonly method: BackfillMethod
}

// Times without a zone are UTC. Row security would hide rows in silence; off, it is an error.
const begin = `begin isolation level read committed read write;
  set local statement_timeout = 0;
  set local idle_in_transaction_session_timeout = 0;
  set local row_security = off;
  set local time zone 'UTC'`

const nothingLogged: StoredCounts = { stored: 0, refused: 0 }
const smallPage = 10
const largePage = 1000
// Texts are in memory when a tokenizer counts them.
const pageOfTexts = 50

/**
 * Estimates the tokens of texts that were stored without a count: fills counts that are 0 or NULL, adds them to quotas, and
 * may add rows to the log, all in one transaction or not at all. Counts that are there are never touched, also those that
 * appear while it runs, so that it may run beside live writers and again. One page of rows is in memory.
 */
export function backfill(pool: pg.Pool, options: BackfillOptions, run: BackfillRun = {}): Promise<BackfillResult> {
  const { mode = 'run' } = run
  return explainRefusals(async () => {
    const method = await chooseMethod(options.method)
    return inTransaction(pool, begin, async (client) => {
      const found = await findBackfillTable(client, options)
      const work: Work = { client, options: { ...options, mode }, found, method }
      const result = await backfillRows(work, run)
      if (mode === 'dry-run') await client.query('rollback; begin')
      return result
    })
  })
}

async function backfillRows(work: Work, run: BackfillRun): Promise<BackfillResult> {
  const { client, options, found, method } = work
  const query: RowQuery = { found, method, model: options.model, withTime: options.intoLog === true }
  const total = await countRows(client, query)
  await openUserSums(client)
  if (options.intoLog) await openStage(client)
  const pageSize = total <= largePage ? smallPage : method === 'tokenizer' ? pageOfTexts : largePage
  const tally = { done: 0, rows: 0, tokens: 0, withoutTime: 0 }
  for await (const page of readRows(client, query, pageSize)) {
    const filled = await fillPage(work, page)
    for (const row of filled) {
      tally.rows += 1
      tally.tokens += tokensOf(row)
      if (options.intoLog && row.time == null) tally.withoutTime += 1
      run.onRow?.(row)
    }
    tally.done += page.length
    run.onProgress?.(tally.done, total)
  }
  const users = await settleUsers(work, run)
  const { stored: logged, refused } = options.intoLog ? await storeLog(work) : nothingLogged
  const { rows, tokens, withoutTime } = tally
  return {
    table: found.table.name,
    mode: options.mode,
    method,
    rows,
    tokens,
    users: found.user ? users.users : undefined,
    quotas: users.quotas,
    withoutQuota: users.withoutQuota,
    logged,
    refused,
    withoutTime,
  }
}

/** The rows of the page that got their count now: another writer may have been faster. */
async function fillPage(work: Work, page: readonly EstimatedRow[]): Promise<readonly EstimatedRow[]> {
  const { client, options, found, method } = work
  const filled = found.tokens ? await fillCounts(work, page) : await withoutLogged(client, found.table, page)
  if (found.user) {
    const tokens = filled.map((row) => ({ user: row.user, tokens: tokensOf(row) }))
    await addToUserSums(client, tokens)
  }
  if (options.intoLog) {
    const timed = filled.filter(({ time }) => time != null)
    const records = timed.map((row) => toEstimatedRecord(row, { found, method }))
    await stageRecords(client, records, 'key')
  }
  return filled
}

async function fillCounts(
  { client, options, found: { table, id, tokens } }: Work,
  page: readonly EstimatedRow[],
): Promise<readonly EstimatedRow[]> {
  if (options.mode === 'dry-run' || tokens === undefined) return page
  // Whoever holds a row is waited for, and the condition is looked at again then.
  const { rows } = await client.query<{ id: string }>(
    `update ${table.sql} as prompts
    set ${tokens.sql} = estimates.tokens
    from unnest($1::text[], $2::int8[]) as estimates (id, tokens)
    where prompts.${id.sql} = estimates.id::${id.type}
      and coalesce(prompts.${tokens.sql}, 0) = 0
    returning estimates.id`,
    [page.map((row) => row.id), page.map(tokensOf)],
  )
  const filled = new Set(rows.map((row) => row.id))
  return page.filter((row) => filled.has(row.id))
}

async function settleUsers({ client, options, found }: Work, { onQuota }: BackfillRun): Promise<UserSummary> {
  const { quota } = found
  if (quota && options.mode === 'run') await addToQuotas(client, quota)
  if (quota && options.mode === 'dry-run' && onQuota) {
    for await (const changes of readQuotaChanges(client, quota)) for (const change of changes) onQuota(change)
  }
  return countUsers(client, found)
}

function storeLog({ client, options }: Work): Promise<StoredCounts> {
  return options.mode === 'run' ? storeStaged(client) : countStaged(client)
}

function tokensOf({ promptTokens, responseTokens }: EstimatedRow): number {
  return promptTokens + responseTokens
}
