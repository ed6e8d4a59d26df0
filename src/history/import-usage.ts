import type pg from 'pg'
import { countStaged, openStage, stageRecords, storeStaged } from '../postgres/stage-records.js'
import { inTransaction } from '../postgres/transaction.js'
import { explainRefusals } from './describe-refusal.js'
import type { ImportLine } from './import-line.js'
import { type Imported, toImportedRecord } from './import-record.js'

export type RejectedLine = { readonly line: number; readonly reason: string; readonly text: string }

export type ImportRun = {
  /** `run` by default; `dry-run` changes nothing, and counts what would be imported. */
  readonly mode?: 'run' | 'dry-run'
  /** Told each line that is not imported, and awaited. */
  readonly onReject?: (line: RejectedLine) => Promise<void> | void
  /** Told how many lines were read, after each 1,000. */
  readonly onProgress?: (done: number) => void
}

export type ImportResult = {
  readonly mode: 'run' | 'dry-run'
  readonly read: number
  /** Rows that are new in `token_usage_logs`, or would be. */
  readonly imported: number
  /** Lines whose row was there before, or came twice under one id. */
  readonly present: number
  readonly rejected: number
  /** Lines that the database took and dropped, because their user was erased or their day pruned, or would. */
  readonly refused: number
}

const batchSize = 1000
const begin = `begin isolation level read committed read write;
  set local statement_timeout = 0;
  set local idle_in_transaction_session_timeout = 0`

/**
 * Adds the calls of a source to `token_usage_logs`, all in one transaction or none, each once however often it is imported:
 * a call is known by its `eventId` or `idempotencyKey`, else by all that it consists of, where the second of two that are
 * alike is a call of its own. A batch of lines is in memory; live writers wait only while the rows are stored at the end.
 */
export function importUsage(
  pool: pg.Pool,
  source: AsyncIterable<ImportLine>,
  run: ImportRun = {},
): Promise<ImportResult> {
  const { mode = 'run' } = run
  return explainRefusals(() =>
    inTransaction(pool, begin, async (client) => {
      await openStage(client)
      const { read, rejected } = await stageLines(client, source, run)
      const { stored, refused } = await (mode === 'run' ? storeStaged(client) : countStaged(client))
      return { mode, read, imported: stored, present: read - rejected - stored - refused, rejected, refused }
    }),
  )
}

async function stageLines(
  client: pg.PoolClient,
  source: AsyncIterable<ImportLine>,
  { onReject, onProgress }: ImportRun,
): Promise<{ read: number; rejected: number }> {
  let batch: Imported[] = []
  let read = 0
  let rejected = 0
  for await (const line of source) {
    read += 1
    const imported = readLine(line)
    if (typeof imported === 'string') {
      rejected += 1
      await onReject?.({ line: line.line, reason: imported, text: line.text })
    } else {
      batch.push(imported)
    }
    if (batch.length === batchSize) {
      await stageBatch(client, batch)
      batch = []
    }
    if (read % batchSize === 0) onProgress?.(read)
  }
  await stageBatch(client, batch)
  return { read, rejected }
}

function readLine({ text, fields, reason }: ImportLine): Imported | string {
  if (fields === undefined) return reason ?? 'it has no fields'
  // What decoding puts in the place of a letter of another encoding: two users could become one.
  return text.includes('\ufffd') ? 'it is not in UTF-8' : toImportedRecord(fields)
}

async function stageBatch(client: pg.PoolClient, batch: readonly Imported[]): Promise<void> {
  for (const identity of ['key', 'content'] as const) {
    const records = batch.filter((imported) => imported.identity === identity).map(({ record }) => record)
    await stageRecords(client, records, identity)
  }
}
