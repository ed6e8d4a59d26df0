import { type Answers, api, explain } from './api.js'
import { listPeriods, stackByGroup } from './chart-data.js'
import { formatCount, formatGroup, formatShare, formatShortCount, formatUsd } from './format.js'
import { choosePeriod, type Dimension, dimensionNames, dimensions, type PageState, toQuery } from './page-state.js'
import { StackedChart } from './stacked-chart.js'
import { type Column, UsageTable } from './usage-table.js'
import { useQuery } from './use-query.js'

type Group = Answers['breakdown']['groups'][number]

export type CostReportProps = {
  readonly state: PageState
  readonly change: (change: Partial<PageState>) => void
  readonly addFilter: (name: Dimension, value: string) => void
  readonly round: number
  readonly isAdmin: boolean
}

const mostLayers = 6
const mostGroups = 100

/** What was paid over time, and for what: by model, user, ... */
export function CostReport({ state, change, addFilter, round, isAdmin }: CostReportProps) {
  const by = isAdmin || state.by !== 'user' ? state.by : 'model'
  const period = choosePeriod(state.since, state.until)
  const query = { ...toQuery(state), by }
  const key = JSON.stringify(query)
  const series = useQuery(key, round, () => api.series.query({ ...query, period, limit: mostLayers }))
  const breakdown = useQuery(key, round, () => api.breakdown.query({ ...query, limit: mostGroups }))
  const error = series.error ?? breakdown.error
  const points = series.data?.points ?? []
  const periods = series.data ? listPeriods(points, period, series.data.range) : []
  const costs = stackByGroup(points, periods, { nameOf: formatGroup, figureOf: ({ costUsd }) => Number(costUsd ?? 0) })
  return (
    <section aria-label="Cost" aria-busy={series.isLoading}>
      <div class="title">
        <h2>Cost by</h2>
        <select
          aria-label="Cost by"
          value={by}
          onChange={(event) => change({ by: event.currentTarget.value as Dimension })}
        >
          {dimensions
            .filter((dimension) => isAdmin || dimension !== 'user')
            .map((dimension) => (
              <option key={dimension} value={dimension}>
                {dimensionNames[dimension]}
              </option>
            ))}
        </select>
      </div>
      {error ? <p role="alert">{explain(error)}</p> : null}
      {series.data && <StackedChart title="Cost over time" data={costs} format={formatUsd} />}
      {breakdown.data && (
        <UsageTable
          caption={`By ${dimensionNames[by].toLowerCase()}, the most expensive first`}
          rows={breakdown.data.groups}
          keyOf={({ group, provider }) => `${group === null} ${group} ${provider}`}
          columns={groupColumns(by, addFilter)}
        />
      )}
    </section>
  )
}

function groupColumns(by: Dimension, addFilter: CostReportProps['addFilter']): Column<Group>[] {
  const provider: Column<Group> = {
    name: 'Provider',
    isText: true,
    value: (row) => row.provider,
    show: (row) => row.provider ?? '',
  }
  return [
    {
      name: dimensionNames[by],
      isText: true,
      value: ({ group }) => group,
      show: ({ group }) =>
        group === null ? formatGroup(group) : <FilterButton value={group} add={(value) => addFilter(by, value)} />,
    },
    ...(by === 'model' ? [provider] : []),
    {
      name: 'Cost',
      value: ({ costUsd }) => (costUsd === null ? null : Number(costUsd)),
      show: ({ costUsd }) => formatUsd(costUsd),
    },
    { name: 'Requests', value: ({ requests }) => requests, show: ({ requests }) => formatCount(requests) },
    {
      name: 'Input',
      value: ({ inputTokens }) => inputTokens,
      show: ({ inputTokens }) => formatShortCount(inputTokens),
    },
    {
      name: 'Output',
      value: ({ outputTokens }) => outputTokens,
      show: ({ outputTokens }) => formatShortCount(outputTokens),
    },
    {
      name: 'From cache',
      value: ({ cacheHitRate }) => cacheHitRate,
      show: ({ cacheHitRate }) => formatShare(cacheHitRate),
    },
    { name: 'Errors', value: ({ errorRate }) => errorRate, show: ({ errorRate }) => formatShare(errorRate) },
    {
      name: 'Unpriced',
      value: ({ unpriced }) => unpriced,
      show: ({ unpriced }) => (unpriced === 0 ? '' : formatCount(unpriced)),
    },
  ]
}

/** A name that shows only its calls when it is clicked. */
export function FilterButton({ value, add }: { readonly value: string; readonly add: (value: string) => void }) {
  return (
    <button type="button" class="link" title="show only these calls" onClick={() => add(value)}>
      {formatGroup(value)}
    </button>
  )
}
