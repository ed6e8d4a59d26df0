import { type Answers, api, askLast, askNow } from './api.js'
import { formatChange, formatCount, formatMs, formatShare, formatShortCount, formatUsd } from './format.js'
import type { PagePart } from './page-part.js'
import { daysRead, toLatencyQuery, toQuery } from './page-state.js'
import { useQuery } from './use-query.js'

export type CardsProps = PagePart & {
  /** Undefined while they are not known yet. */
  readonly totals: Answers['totals'] | undefined
  readonly isLoading: boolean
}

/** The figures of the range, each with its change against the period before. */
export function Cards({ totals, isLoading, ...shown }: CardsProps) {
  const sums = totals?.totals
  const change = totals?.change
  return (
    <dl class="cards" aria-busy={isLoading}>
      <Card
        name="Cost"
        figure={sums && formatUsd(sums.costUsd)}
        change={change?.costUsd}
        notes={[sums && sums.unpriced > 0 && `${formatCount(sums.unpriced)} unpriced`]}
      />
      <MonthCard {...shown} />
      <Card
        name="Requests"
        figure={sums && formatCount(sums.requests)}
        change={change?.requests}
        notes={[sums && sums.unknown > 0 && `${formatCount(sums.unknown)} of unknown size`]}
      />
      <Card name="Input tokens" figure={sums && formatShortCount(sums.inputTokens)} change={change?.inputTokens} />
      <Card name="Output tokens" figure={sums && formatShortCount(sums.outputTokens)} change={change?.outputTokens} />
      <Card
        name="From cache"
        figure={sums && formatShortCount(sums.cacheReadTokens)}
        change={change?.cacheReadTokens}
        notes={[sums && sums.cacheHitRate !== null && `${formatShare(sums.cacheHitRate)} of input`]}
      />
      <Card
        name="Errors"
        figure={sums && formatShare(sums.errorRate)}
        change={change?.failed}
        notes={sums && [`${formatCount(sums.failed)} failed`, `${formatCount(sums.aborted)} broken off`]}
      />
      <LatencyCard {...shown} />
    </dl>
  )
}

function MonthCard({ state, round }: PagePart) {
  const { since: _since, until: _until, status: _status, ...query } = toQuery(state)
  const { data, error } = useQuery(JSON.stringify(query), round, (signal) =>
    askNow(() => api.monthProjection.query(query), signal),
  )
  const figure = data && (data.projectedCostUsd === null ? '-' : formatUsd(data.projectedCostUsd))
  return (
    <Card
      name="Month, projected"
      figure={figure ?? (error === undefined ? undefined : notKnown)}
      notes={
        data && [`${formatUsd(data.costUsd)} so far`, `${data.daysLeft} ${data.daysLeft === 1 ? 'day' : 'days'} left`]
      }
    />
  )
}

/** It is read from the rows, which takes longer than everything else. */
function LatencyCard({ state, round }: PagePart) {
  const query = toLatencyQuery(state)
  const { data, error } = useQuery(JSON.stringify(query), round, (signal) =>
    askLast(() => api.latencies.query(query), signal),
  )
  const figure = data && formatMs(data.groups[0]?.durationMs?.p95 ?? null)
  return (
    <Card
      name="95 % within"
      figure={figure ?? (error === undefined ? undefined : notKnown)}
      notes={[daysRead(state)]}
    />
  )
}

type CardProps = {
  readonly name: string
  /** Undefined while it is not known yet. */
  readonly figure: string | undefined
  readonly change?: number | null | undefined
  /** The last has a line of its own. */
  readonly notes?: readonly (string | false | undefined)[] | undefined
}

const notKnown = 'not known'

function Card({ name, figure, change, notes = [] }: CardProps) {
  const changed = formatChange(change ?? null)
  const beside = notes.slice(0, -1).filter(Boolean).join(' · ')
  return (
    <div class="card">
      <dt>{name}</dt>
      <dd class={figure === undefined ? 'figure waiting' : 'figure'}>{figure ?? '…'}</dd>
      <dd class="note">
        <p>
          {changed && <span title="against the period of the same length before">{changed}</span>}
          {changed && beside && ' · '}
          {beside}
        </p>
        <p>{notes.at(-1)}</p>
      </dd>
    </div>
  )
}
