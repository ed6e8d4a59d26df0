import { type Answers, api, explain } from './api.js'
import { FilterButton } from './cost-report.js'
import { formatCount, formatMs, formatShare, formatUsd } from './format.js'
import { type Dimension, type PageState, toQuery } from './page-state.js'
import { type Column, UsageTable } from './usage-table.js'
import { useQuery } from './use-query.js'

type Provider = Answers['providers']['providers'][number]

export type ProviderComparisonProps = {
  readonly state: PageState
  readonly round: number
  readonly addFilter: (name: Dimension, value: string) => void
}

/** The providers side by side: what a call costs, how long it takes, how often it fails. */
export function ProviderComparison({ state, round, addFilter }: ProviderComparisonProps) {
  const query = toQuery(state)
  const { data, error, isLoading } = useQuery(JSON.stringify(query), round, () => api.providers.query(query))
  return (
    <section aria-label="Providers" aria-busy={isLoading}>
      <h2>Providers</h2>
      {error ? <p role="alert">{explain(error)}</p> : null}
      {data && (
        <UsageTable
          caption="Figures of one call, on average"
          rows={data.providers}
          keyOf={({ group }) => `${group}`}
          columns={columns(addFilter)}
        />
      )}
    </section>
  )
}

function columns(addFilter: ProviderComparisonProps['addFilter']): Column<Provider>[] {
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
