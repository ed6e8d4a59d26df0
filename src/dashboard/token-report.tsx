import { type Answers, api, askNow } from './api.js'
import { listPeriods, stackFigures } from './chart-data.js'
import { formatCount, formatPeriod, formatShortCount } from './format.js'
import type { PagePart } from './page-part.js'
import { choosePeriod, toQuery, zoneOf } from './page-state.js'
import { olderFigures, Problem } from './problem.js'
import { StackedChart } from './stacked-chart.js'
import { type Column, UsageTable } from './usage-table.js'
import { useQuery } from './use-query.js'

type Point = Answers['series']['points'][number]

const types: Readonly<Record<string, (point: Point) => number | null>> = {
  'Input from cache': (point) => partOf(point.inputTokens, () => point.cacheReadTokens),
  'Input written to cache': (point) => partOf(point.inputTokens, () => point.cacheWriteTokens),
  'Other input': (point) => partOf(point.inputTokens, (all) => all - point.cacheReadTokens - point.cacheWriteTokens),
  Reasoning: (point) => partOf(point.outputTokens, () => point.reasoningTokens),
  'Other output': (point) => partOf(point.outputTokens, (all) => all - point.reasoningTokens),
}

// Of what is not known no part is.
function partOf(all: number | null, part: (all: number) => number): number | null {
  return all === null ? null : Math.max(0, part(all))
}

/** Tokens over time by their type, each token once. */
export function TokenReport({ state, round }: PagePart) {
  const query = { ...toQuery(state), period: choosePeriod(state.since, state.until) }
  const { data, ...asked } = useQuery(JSON.stringify(query), round, (signal) =>
    askNow(() => api.series.query(query), signal),
  )
  const points = data?.points ?? []
  const timeZone = zoneOf(state, data?.range)
  const tokens = stackFigures(points, data ? listPeriods(points, data) : [], types)
  return (
    <section aria-label="Tokens" aria-busy={asked.isLoading}>
      <h2>Tokens by type</h2>
      <Problem {...asked} old={data && olderFigures} />
      {(data || asked.error === undefined) && (
        <StackedChart title="Tokens over time" data={data && tokens} format={formatShortCount} timeZone={timeZone} />
      )}
      <details>
        <summary>As a table</summary>
        <UsageTable
          caption={`Tokens of each ${data?.period ?? query.period}`}
          rows={points}
          keyOf={(point) => point.period ?? ''}
          columns={columnsIn(timeZone)}
        />
      </details>
    </section>
  )
}

const typeColumns = Object.entries(types).map(
  ([name, value]): Column<Point> => ({ name, value, show: (point) => formatCount(value(point)) }),
)

function columnsIn(timeZone: string | undefined): Column<Point>[] {
  const time: Column<Point> = {
    name: 'Time',
    isText: true,
    value: ({ period }) => period,
    show: ({ period }) => formatPeriod(period ?? '', timeZone),
  }
  return [time, ...typeColumns]
}
