import { toPicoUsd } from '../usage/pico-usd.js'
import type { UsageRecord } from '../usage/usage-record.js'
import { int4Array, int8Array, textArray, timestamptzArray, uuidArray } from './binary-array.js'

type Column = {
  readonly name: string
  readonly field: keyof UsageRecord
  readonly type: string
  readonly encode: (values: readonly never[]) => Buffer
  /** How the element becomes the column's type, where it is not that already. */
  readonly convert?: string
}

const text = { type: 'text', encode: textArray }
const integer = { type: 'int4', encode: int4Array }
const json = { ...text, convert: '::jsonb' }
const usd = { type: 'int8', encode: picoUsdArray, convert: ' * 0.000000000001' }

const columns: readonly Column[] = [
  { name: 'event_id', field: 'eventId', type: 'uuid', encode: uuidArray },
  { name: 'timestamp', field: 'timestamp', type: 'timestamptz', encode: timestamptzArray },
  { name: 'user_email', field: 'userEmail', ...text },
  { name: 'model_name', field: 'modelName', ...text },
  { name: 'input_tokens', field: 'inputTokens', ...integer },
  { name: 'output_tokens', field: 'outputTokens', ...integer },
  { name: 'request_type', field: 'requestType', ...text },
  { name: 'session_id', field: 'sessionId', ...text },
  { name: 'cost_estimate', field: 'costEstimate', ...usd },
  { name: 'input_cost', field: 'inputCost', ...usd },
  { name: 'output_cost', field: 'outputCost', ...usd },
  { name: 'other_cost', field: 'otherCost', ...usd },
  { name: 'cost_source', field: 'costSource', ...text },
  { name: 'provider', field: 'provider', ...text },
  { name: 'operation', field: 'operation', ...text },
  { name: 'operation_id', field: 'operationId', ...text },
  { name: 'project', field: 'project', ...text },
  { name: 'cache_read_tokens', field: 'cacheReadTokens', ...integer },
  { name: 'cache_write_tokens', field: 'cacheWriteTokens', ...integer },
  { name: 'reasoning_tokens', field: 'reasoningTokens', ...integer },
  { name: 'status', field: 'status', ...text },
  { name: 'usage_source', field: 'usageSource', ...text },
  { name: 'response_id', field: 'responseId', ...text },
  { name: 'duration_ms', field: 'durationMs', ...integer },
  { name: 'time_to_first_chunk_ms', field: 'timeToFirstChunkMs', ...integer },
  { name: 'metadata', field: 'metadata', ...json },
  { name: 'raw_usage', field: 'rawUsage', ...json },
]

/**
 * The one statement that stores a batch: an array of each column, in binary, taken apart by the server. A column that is
 * null in all records is left out. A record that is there already changes nothing.
 */
export function insertRecords(records: readonly UsageRecord[]): { text: string; values: Buffer[] } {
  const { text: statement, values } = insertInto('token_usage_logs', records)
  // The target of the conflict is named: without it a clash of ids would pass for a record that is there already.
  return { text: `${statement}\non conflict (event_id) do nothing`, values }
}

/** The same into another table with these columns, and without a word on conflicts. */
export function insertInto(table: string, records: readonly UsageRecord[]): { text: string; values: Buffer[] } {
  // One order for everybody: two writers that meet cannot wait for each other in a circle.
  const sorted = [...records].sort((a, b) => (a.eventId < b.eventId ? -1 : a.eventId > b.eventId ? 1 : 0))
  const present = columns.filter(({ field }) => sorted.some((record) => record[field] !== null))
  const values = present.map(({ field, encode }) => encode(sorted.map((record) => record[field]) as never[]))
  const statement = `insert into ${table} (${present.map(({ name }) => name).join(', ')})
select ${present.map(({ type, convert = '' }, index) => `unnest($${index + 1}::${type}[])${convert}`).join(', ')}`
  return { text: statement, values }
}

/** Names of the columns that a record fills. */
export const recordColumns: readonly string[] = columns.map(({ name }) => name)

function picoUsdArray(amounts: readonly (string | null)[]): Buffer {
  return int8Array(amounts.map((amount) => (amount === null ? null : toPicoUsd(amount))))
}
