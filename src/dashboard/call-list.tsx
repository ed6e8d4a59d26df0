import { useState } from 'preact/hooks'
import { type Answers, api, askNow, explain } from './api.js'
import { CallDetails } from './call-details.js'
import { ExportLinks } from './export-links.js'
import { FilterButton } from './filter-button.js'
import { formatCount, formatMs, formatTime, formatUsd } from './format.js'
import type { PagePart } from './page-part.js'
import { toQuery, zoneOf } from './page-state.js'
import { olderFigures, Problem } from './problem.js'
import { type Column, UsageTable } from './usage-table.js'
import { useQuery } from './use-query.js'

type Call = Answers['calls']['calls'][number]

type FurtherPages = { readonly key: string; readonly round: number; readonly pages: readonly Answers['calls'][] }

/** Single calls, the latest first, further pages on demand, and everything that is known of one. */
export function CallList({ state, round, range, addFilter, isAdmin }: PagePart) {
  const query = toQuery(state)
  const key = JSON.stringify(query)
  const [further, setFurther] = useState<FurtherPages>({ key, round, pages: [] })
  const pages = further.key === key ? further.pages : []
  // With further pages open the first stays as it is: a later one would leave a gap before the second.
  const { data, ...asked } = useQuery(key, pages.length > 0 ? further.round : round, (signal) =>
    askNow(() => api.calls.query(query), signal, 1),
  )
  const [opened, open] = useState<number>()
  const [problem, setProblem] = useState<string>()
  const cursor = (pages.at(-1) ?? data)?.nextCursor
  const readOn = async () => {
    if (!cursor) return
    try {
      const page = await api.calls.query({ ...query, cursor })
      setFurther({ key, round: pages.length > 0 ? further.round : round, pages: [...pages, page] })
      setProblem(undefined)
    } catch (error) {
      setProblem(explain(error))
    }
  }
  const timeZone = zoneOf(state, range)
  const columns = callColumns({ timeZone, open, addFilter }).filter(({ name }) => isAdmin || name !== 'User')
  return (
    <section aria-label="Calls" class="table-place" aria-busy={asked.isLoading}>
      <div class="title">
        <h2>Calls</h2>
        <ExportLinks state={state} />
      </div>
      <Problem {...asked} old={data && olderFigures} />
      {data && (
        <UsageTable
          caption="Single calls, the latest first"
          rows={unique([data, ...pages].flatMap(({ calls }) => calls))}
          keyOf={({ id }) => String(id)}
          columns={columns}
        />
      )}
      {cursor && (
        <button type="button" onClick={readOn}>
          Show more
        </button>
      )}
      <p role="alert">{problem}</p>
      {opened !== undefined && <CallDetails id={opened} timeZone={timeZone} close={() => open(undefined)} />}
    </section>
  )
}

type CallColumns = Pick<PagePart, 'addFilter'> & {
  readonly timeZone: string | undefined
  readonly open: (id: number) => void
}

function callColumns({ timeZone, open, addFilter }: CallColumns): Column<Call>[] {
  const filterButton = (name: 'user' | 'model', value: string) => (
    <FilterButton value={value} add={(chosen) => addFilter(name, chosen)} />
  )
  return [
    {
      name: 'Time',
      isText: true,
      value: ({ timestamp }) => timestamp,
      show: ({ id, timestamp }) => (
        <button type="button" class="link" onClick={() => open(id)}>
          {formatTime(timestamp, timeZone)}
        </button>
      ),
    },
    {
      name: 'User',
      isText: true,
      value: ({ userEmail }) => userEmail,
      show: ({ userEmail }) => filterButton('user', userEmail),
    },
    {
      name: 'Model',
      isText: true,
      value: ({ modelName }) => modelName,
      show: ({ modelName }) => filterButton('model', modelName),
    },
    { name: 'Status', isText: true, value: ({ status }) => status, show: ({ status }) => status ?? '' },
    { name: 'Input', value: ({ inputTokens }) => inputTokens, show: ({ inputTokens }) => formatCount(inputTokens) },
    {
      name: 'Output',
      value: ({ outputTokens }) => outputTokens,
      show: ({ outputTokens }) => formatCount(outputTokens),
    },
    {
      name: 'Cost',
      value: ({ costUsd }) => (costUsd === null ? null : Number(costUsd)),
      show: ({ costUsd }) => formatUsd(costUsd),
    },
    { name: 'Duration', value: ({ durationMs }) => durationMs, show: ({ durationMs }) => formatMs(durationMs) },
  ]
}

// A page that is asked for again meanwhile may begin later, and overlap with the next.
function unique(calls: readonly Call[]): Call[] {
  return [...new Map(calls.map((call) => [call.id, call])).values()]
}
