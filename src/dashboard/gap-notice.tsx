import { type Answers, api, askNow } from './api.js'
import { formatCount, formatTime } from './format.js'
import type { PagePart } from './page-part.js'
import { toQuery } from './page-state.js'
import { type Column, UsageTable } from './usage-table.js'
import { useQuery } from './use-query.js'

type Gap = Answers['gaps']['gaps'][number]

/** What the figures leave out, when there is anything: records that were lost, and those that the table refused. */
export function GapNotice({ state, round }: PagePart) {
  const { since, until } = toQuery(state)
  const { data } = useQuery(`${since} ${until}`, round, (signal) =>
    askNow(() => api.gaps.query({ since, until }), signal),
  )
  if (data === undefined || data.records === 0) return null
  return (
    <aside class="notice" aria-label="What is missing">
      <details>
        <summary>
          These figures are exact except for <strong>{formatCount(data.records)}</strong>{' '}
          {data.records === 1 ? 'call' : 'calls'}
        </summary>
        <UsageTable
          caption="Calls that the figures leave out, whoever made them. Dead letters are kept: tokenledger dead-letters list"
          rows={data.gaps}
          keyOf={({ kind, reason }) => `${kind} ${reason}`}
          columns={columns(state.zone === 'local' ? undefined : data.range.timeZone)}
        />
      </details>
    </aside>
  )
}

function columns(timeZone: string | undefined): Column<Gap>[] {
  return [
    { name: 'What', isText: true, value: ({ kind }) => kind, show: ({ kind }) => kind },
    { name: 'Why', isText: true, value: ({ reason }) => reason, show: ({ reason }) => reason.replaceAll('_', ' ') },
    { name: 'Calls', value: ({ records }) => records, show: ({ records }) => formatCount(records) },
    { name: 'Input', value: ({ inputTokens }) => inputTokens, show: ({ inputTokens }) => formatCount(inputTokens) },
    {
      name: 'Output',
      value: ({ outputTokens }) => outputTokens,
      show: ({ outputTokens }) => formatCount(outputTokens),
    },
    {
      name: 'First',
      isText: true,
      value: ({ firstAt }) => firstAt,
      show: ({ firstAt }) => formatTime(firstAt, timeZone),
    },
    { name: 'Last', isText: true, value: ({ lastAt }) => lastAt, show: ({ lastAt }) => formatTime(lastAt, timeZone) },
  ]
}
