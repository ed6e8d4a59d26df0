import type { Answers } from './api.js'
import { formatChange, formatCount, formatMs, formatShare, formatShortCount, formatUsd } from './format.js'

type Totals = Answers['totals']

export type CardsProps = {
  readonly totals: Totals
  /** Undefined while it is not known yet: it is read from the rows, which takes longer. */
  readonly p95Ms: number | null | undefined
}

/** The figures of the range, each with its change against the period before. */
export function Cards({ totals: { totals, change }, p95Ms }: CardsProps) {
  const failures = totals.failed + totals.aborted
  return (
    <dl class="cards">
      <Card name="Cost" figure={formatUsd(totals.costUsd)} change={change.costUsd}>
        {totals.unpriced > 0 && `${formatCount(totals.unpriced)} unpriced`}
      </Card>
      <Card name="Requests" figure={formatCount(totals.requests)} change={change.requests}>
        {totals.unknown > 0 && `${formatCount(totals.unknown)} with unknown counts`}
      </Card>
      <Card name="Input tokens" figure={formatShortCount(totals.inputTokens)} change={change.inputTokens} />
      <Card name="Output tokens" figure={formatShortCount(totals.outputTokens)} change={change.outputTokens} />
      <Card name="From cache" figure={formatShortCount(totals.cacheReadTokens)} change={change.cacheReadTokens}>
        {totals.cacheHitRate !== null && `${formatShare(totals.cacheHitRate)} of input`}
      </Card>
      <Card name="Errors" figure={formatShare(totals.errorRate)} change={change.failed}>
        {failures > 0 && `${formatCount(totals.failed)} failed, ${formatCount(totals.aborted)} broken off`}
      </Card>
      <Card name="95 % answer within" figure={p95Ms === undefined ? '…' : formatMs(p95Ms)} change={null} />
    </dl>
  )
}

type CardProps = {
  readonly name: string
  readonly figure: string
  readonly change: number | null
  readonly children?: string | false
}

function Card({ name, figure, change, children }: CardProps) {
  const changed = formatChange(change)
  return (
    <div class="card">
      <dt>{name}</dt>
      <dd class="figure">{figure}</dd>
      <dd class="note">
        {changed && <span title="against the period of the same length before">{changed}</span>} {children}
      </dd>
    </div>
  )
}
