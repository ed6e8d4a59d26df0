import { type Answers, api, askNow } from './api.js'
import { listPeriods, stackByGroup } from './chart-data.js'
import { FilterButton } from './filter-button.js'
import { formatCount, formatGroup, formatShare, formatShortCount, formatUsd } from './format.js'
import type { PagePart } from './page-part.js'
import { choosePeriod, type Dimension, dimensionNames, dimensions, toQuery, zoneOf } from './page-state.js'
import { olderFigures, Problem } from './problem.js'
import { StackedChart } from './stacked-chart.js'
import { type Column, UsageTable } from './usage-table.js'
import { useQuery } from './use-query.js'

type Group = Answers['breakdown']['groups'][number]

const mostLayers = 6
const mostGroups = 100

/** What was paid over time, and for what: by model, user, ... */
export function CostReport({ state, change, addFilter, round, isAdmin }: PagePart) {
  const { by } = state
  return (
    <section aria-label="Cost">
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
                {dimensionNames[dimension].toLowerCase()}
              </option>
            ))}
        </select>
      </div>
      <CostChart state={state} by={by} round={round} />
      <GroupTable state={state} by={by} round={round} addFilter={addFilter} />
    </section>
  )
}

type GroupedPart = Pick<PagePart, 'state' | 'round'> & { readonly by: Dimension }

function CostChart({ state, by, round }: GroupedPart) {
  const period = choosePeriod(state.since, state.until)
  const query = { ...toQuery(state), by, period, limit: mostLayers }
  const { data, ...asked } = useQuery(JSON.stringify(query), round, (signal) =>
    askNow(() => api.series.query(query), signal, 1),
  )
  const points = data?.points ?? []
  const periods = data ? listPeriods(points, data) : []
  const costs = stackByGroup(points, periods, {
    nameOf: formatGroup,
    figureOf: ({ costUsd }) => (costUsd === null ? null : Number(costUsd)),
  })
  return (
    <div aria-busy={asked.isLoading}>
      <Problem {...asked} old={data && olderFigures} />
      {(data || asked.error === undefined) && (
        <StackedChart
          title="Cost over time"
          data={data && costs}
          format={formatUsd}
          timeZone={zoneOf(state, data?.range)}
        />
      )}
    </div>
  )
}

function GroupTable({ state, by, round, addFilter }: GroupedPart & Pick<PagePart, 'addFilter'>) {
  const query = { ...toQuery(state), by, limit: mostGroups }
  const { data, ...asked } = useQuery(JSON.stringify(query), round, (signal) =>
    askNow(async () => ({ by, groups: (await api.breakdown.query(query)).groups }), signal, 1),
  )
  return (
    <div class="table-place" aria-busy={asked.isLoading}>
      <Problem {...asked} old={data && olderFigures} />
      {data && (
        <UsageTable
          key={data.by}
          caption={`By ${dimensionNames[data.by].toLowerCase()}, the most expensive first`}
          rows={data.groups}
          keyOf={({ group, provider }) => JSON.stringify([group, provider])}
          columns={groupColumns(data.by, addFilter)}
        />
      )}
    </div>
  )
}

function groupColumns(by: Dimension, addFilter: PagePart['addFilter']): Column<Group>[] {
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
