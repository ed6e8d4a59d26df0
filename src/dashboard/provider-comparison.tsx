import { type Answers, api, askLast } from './api.js'
import { FilterButton } from './filter-button.js'
import { formatCount, formatMs, formatShare, formatUsd } from './format.js'
import type { PagePart } from './page-part.js'
import { daysRead, toLatencyQuery } from './page-state.js'
import { olderFigures, Problem } from './problem.js'
import { type Column, UsageTable } from './usage-table.js'
import { useQuery } from './use-query.js'

type Provider = Answers['providers']['providers'][number]

/** The providers side by side: what a call costs, how long it takes, how often it fails. Reads every row of its range. */
export function ProviderComparison({ state, round, addFilter }: PagePart) {
  const query = toLatencyQuery(state)
  const { data, ...asked } = useQuery(JSON.stringify(query), round, (signal) =>
    askLast(() => api.providers.query(query), signal),
  )
  return (
    <section aria-label="Providers" class="table-place" aria-busy={asked.isLoading}>
      <h2>Providers</h2>
      <Problem {...asked} old={data && olderFigures} />
      {data && (
        <UsageTable
          caption={['Figures of one call, on average', daysRead(state)].filter(Boolean).join(', ')}
          rows={data.providers}
          keyOf={({ group }) => JSON.stringify(group)}
          columns={columns(addFilter)}
        />
      )}
    </section>
  )
}

function columns(addFilter: PagePart['addFilter']): Column<Provider>[] {
  return [
    {
      name: 'Provider',
      isText: true,
      value: ({ group }) => group,
      show: ({ group }) => <FilterButton value={group ?? ''} add={(value) => addFilter('provider', value)} />,
    },
    { name: 'Requests', value: ({ requests }) => requests, show: ({ requests }) => formatCount(requests) },
    {
      name: 'Cost a call',
      value: ({ costPerCallUsd }) => (costPerCallUsd === null ? null : Number(costPerCallUsd)),
      show: ({ costPerCallUsd }) => formatUsd(costPerCallUsd),
    },
    {
      name: 'Tokens a call',
      value: ({ tokensPerCall }) => tokensPerCall,
      show: ({ tokensPerCall }) => formatCount(tokensPerCall === null ? null : Math.round(tokensPerCall)),
    },
    {
      name: 'Half within',
      value: ({ durationMs }) => durationMs?.p50 ?? null,
      show: ({ durationMs }) => formatMs(durationMs?.p50 ?? null),
    },
    {
      name: '95 % within',
      value: ({ durationMs }) => durationMs?.p95 ?? null,
      show: ({ durationMs }) => formatMs(durationMs?.p95 ?? null),
    },
    {
      name: 'First chunk, half within',
      value: ({ timeToFirstChunkMs }) => timeToFirstChunkMs?.p50 ?? null,
      show: ({ timeToFirstChunkMs }) => formatMs(timeToFirstChunkMs?.p50 ?? null),
    },
    { name: 'Errors', value: ({ errorRate }) => errorRate, show: ({ errorRate }) => formatShare(errorRate) },
    { name: 'Broken off', value: ({ abortRate }) => abortRate, show: ({ abortRate }) => formatShare(abortRate) },
  ]
}
