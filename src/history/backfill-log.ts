import type { ClientBase } from 'pg'
import type { Table } from '../postgres/find-table.js'
import { draftRecord } from '../usage/draft-record.js'
import { eventIdOfKey } from '../usage/event-id.js'
import { toUsageRecord } from '../usage/to-usage-record.js'
import type { UsageRecord } from '../usage/usage-record.js'
import type { BackfillMethod, EstimatedRow } from './backfill-rows.js'
import type { BackfillTable } from './backfill-table.js'

/** The row of the log for an estimate. Its id comes of the table and the row's id, so that it is written once. */
export function toEstimatedRecord(
  row: EstimatedRow,
  { found, method }: { readonly found: BackfillTable; readonly method: BackfillMethod },
): UsageRecord {
  const estimated = found.responses ? ['inputTokens', 'outputTokens'] : ['inputTokens']
  const entry = {
    modelName: row.model,
    inputTokens: row.promptTokens,
    outputTokens: row.responseTokens,
    userEmail: row.user,
    timestamp: row.time,
    usageSource: 'estimated',
    rawUsage: { estimated, method },
  }
  return { ...toUsageRecord(draftRecord(entry, {}, Date.now())), eventId: eventIdOf(found.table, row) }
}

/** The rows that are not in the log yet. */
export async function withoutLogged(
  client: ClientBase,
  table: Table,
  page: readonly EstimatedRow[],
): Promise<readonly EstimatedRow[]> {
  const { rows } = await client.query<{ event_id: string }>(
    'select event_id from token_usage_logs where event_id = any($1::uuid[])',
    [page.map((row) => eventIdOf(table, row))],
  )
  const logged = new Set(rows.map((row) => row.event_id))
  return page.filter((row) => !logged.has(eventIdOf(table, row)))
}

function eventIdOf({ name }: Table, { id }: EstimatedRow): string {
  return eventIdOfKey(`tokenledger backfill ${name} ${id}`)
}
