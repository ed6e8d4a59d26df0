import fc from 'fast-check'
import type { TestDatabase } from '../support/test-database.js'

const name = fc.constantFrom(null, '', 'a', 'b')
const cost = fc.constantFrom(null, 'NaN', '0.00000012', '1.5', '0.1', '99999.999999999999')

/** A row of `token_usage_logs` as it may be, from whoever wrote it, made around the clock changes of March 2026. */
export const call = fc.record({
  timestamp: fc
    .integer({ min: -24 * 24 * 60, max: 24 * 30 * 60 })
    .map((minutes) => new Date(Date.UTC(2026, 2, 8, 7) + minutes * 60_000 + 123).toISOString()),
  user_email: fc.constantFrom('ann', 'bob', 'cy', 'dee'),
  model_name: fc.constantFrom('m1', 'm2', 'm3'),
  request_type: fc.constantFrom('chat', 'image'),
  provider: name,
  operation: name,
  project: name,
  input_tokens: fc.integer({ min: 0, max: 2_147_483_647 }),
  output_tokens: fc.integer({ min: 0, max: 5000 }),
  cache_read_tokens: fc.option(fc.nat(1000)),
  cache_write_tokens: fc.option(fc.nat(1000)),
  reasoning_tokens: fc.option(fc.nat(1000)),
  cost_estimate: cost,
  input_cost: cost,
  output_cost: cost,
  other_cost: cost,
  status: fc.constantFrom(null, 'ok', 'error', 'aborted'),
  usage_source: fc.constantFrom(null, 'provider', 'unknown'),
  duration_ms: fc.option(fc.nat(60_000)),
  time_to_first_chunk_ms: fc.option(fc.nat(5000)),
})
export type Call = typeof call extends fc.Arbitrary<infer T> ? T : never

const columns = [
  'timestamp, user_email, model_name, request_type, provider, operation, project, input_tokens, output_tokens',
  'cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_estimate, input_cost, output_cost, other_cost',
  'status, usage_source, duration_ms, time_to_first_chunk_ms',
].join(', ')

/** Writes rows as another program would, without an `event_id`. */
export async function insertCalls(database: TestDatabase, calls: readonly object[]): Promise<void> {
  await database.query(
    `insert into token_usage_logs (${columns})
    select ${columns} from json_populate_recordset(null::token_usage_logs, $1)`,
    [JSON.stringify(calls)],
  )
}
