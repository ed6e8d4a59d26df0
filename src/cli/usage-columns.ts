import type { LatencyFigures } from '../analytics/latencies.js'
import type { UsageGroup } from '../analytics/usage-sums.js'
import { asCount, asMs, asName, asShare, asUsd, type Column } from './usage-table.js'

type ComparedProvider = UsageGroup & LatencyFigures

const figures: readonly Column<UsageGroup>[] = [
  { name: 'requests', head: 'requests', value: ({ requests }) => requests, format: asCount },
  { name: 'input_tokens', head: 'input', value: ({ inputTokens }) => inputTokens, format: asCount },
  { name: 'output_tokens', head: 'output', value: ({ outputTokens }) => outputTokens, format: asCount },
  { name: 'cache_read_tokens', head: 'cached', value: ({ cacheReadTokens }) => cacheReadTokens, format: asCount },
  { name: 'cost_usd', head: 'cost', value: ({ costUsd }) => costUsd, format: asUsd },
  { name: 'unpriced', head: 'unpriced', value: ({ unpriced }) => unpriced, format: asCount },
  { name: 'unknown', head: 'unknown', value: ({ unknown }) => unknown, format: asCount },
  { name: 'failed', head: 'failed', value: ({ failed }) => failed, format: asCount },
  { name: 'aborted', head: 'aborted', value: ({ aborted }) => aborted, format: asCount },
]

const day: Column<UsageGroup> = { name: 'day', head: 'day', value: ({ period }) => period, format: asName }

/** One line for each day. */
export const dayColumns: readonly Column<UsageGroup>[] = [day, ...figures]

/** One line for each user, operation, ... */
export function groupColumns(name: string): readonly Column<UsageGroup>[] {
  return [{ name, head: name, value: groupName, format: asName }, ...figures]
}

/** One line for each model of each provider. */
export const modelColumns: readonly Column<UsageGroup>[] = [
  { name: 'model', head: 'model', value: groupName, format: asName },
  {
    name: 'provider',
    head: 'provider',
    value: ({ group, provider }) => (group === null ? null : provider),
    format: asName,
  },
  ...figures,
]

/** One line for each provider, with what a call of it costs and takes. */
export const providerColumns: readonly Column<ComparedProvider>[] = [
  { name: 'provider', head: 'provider', value: groupName, format: asName },
  ...figures,
  { name: 'cost_per_call_usd', head: 'a call', value: ({ costPerCallUsd }) => costPerCallUsd, format: asUsd },
  { name: 'error_rate', head: 'errors', value: ({ errorRate }) => errorRate, format: asShare },
  { name: 'p50_duration_ms', head: 'p50', value: ({ durationMs }) => durationMs?.p50 ?? null, format: asMs },
  { name: 'p95_duration_ms', head: 'p95', value: ({ durationMs }) => durationMs?.p95 ?? null, format: asMs },
  {
    name: 'p50_first_chunk_ms',
    head: 'first chunk',
    value: ({ timeToFirstChunkMs }) => timeToFirstChunkMs?.p50 ?? null,
    format: asMs,
  },
]

function groupName({ group }: UsageGroup): string {
  return group ?? '(others)'
}
