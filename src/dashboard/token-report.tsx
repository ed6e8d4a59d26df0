import { type Answers, api, explain } from './api.js'
import { listPeriods, stackFigures } from './chart-data.js'
import { formatCount, formatShortCount } from './format.js'
import { choosePeriod, type PageState, toQuery } from './page-state.js'
import { StackedChart } from './stacked-chart.js'
import { type Column, UsageTable } from './usage-table.js'
import { useQuery } from './use-query.js'

type Point = Answers['series']['points'][number]

const types: Readonly<Record<string, (point: Point) => number>> = {
  'Input from cache': ({ cacheReadTokens }) => cacheReadTokens,
  'Input written to cache': ({ cacheWriteTokens }) => cacheWriteTokens,
  'Other input': (point) => Math.max(0, (point.inputTokens ?? 0) - point.cacheReadTokens - point.cacheWriteTokens),
  Reasoning: ({ reasoningTokens }) => reasoningTokens,
  'Other output': (point) => Math.max(0, (point.outputTokens ?? 0) - point.reasoningTokens),
}

/** Tokens over time by their type, each token once. */
export function TokenReport({ state, round }: { readonly state: PageState; readonly round: number }) {
  const period = choosePeriod(state.since, state.until)
  const query = toQuery(state)
  const { data, error, isLoading } = useQuery(JSON.stringify(query), round, () =>
    api.series.query({ ...query, period }),
  )
  if (error) return <p role="alert">{explain(error)}</p>
  if (data === undefined) return null
  return (
    <section aria-label="Tokens" aria-busy={isLoading}>
      <h2>Tokens by type</h2>
      <StackedChart
        title="Tokens over time"
        data={stackFigures(data.points, listPeriods(data.points, period, data.range), types)}
        format={formatShortCount}
      />
      <details>
        <summary>As a table</summary>
        <UsageTable
          caption={`Tokens of each ${period}`}
          rows={data.points}
          keyOf={(point) => point.period ?? ''}
          columns={columns}
        />
      </details>
    </section>
  )
}

const columns: Column<Point>[] = [
  { name: 'Time', isText: true, value: (point) => point.period, show: (point) => point.period ?? '' },
  ...Object.entries(types).map(
    ([name, value]): Column<Point> => ({ name, value, show: (point) => formatCount(value(point)) }),
  ),
]
