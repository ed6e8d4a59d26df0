import { useEffect, useRef, useState } from 'preact/hooks'
import { type Answers, api, explain } from './api.js'
import { formatCount, formatMs, formatTime, formatUsd } from './format.js'
import { type PageState, toQuery } from './page-state.js'
import { type Column, UsageTable } from './usage-table.js'
import { useQuery } from './use-query.js'

type Call = Answers['calls']['calls'][number]

export type CallListProps = {
  readonly state: PageState
  readonly timeZone: string | undefined
  readonly round: number
}

/** Single calls, the latest first, further pages on demand, and everything that is known of one. */
export function CallList({ state, timeZone, round }: CallListProps) {
  const query = toQuery(state)
  const key = JSON.stringify(query)
  const { data, error } = useQuery(key, round, () => api.calls.query(query))
  const [more, setMore] = useState<{ readonly key: string; readonly pages: readonly Answers['calls'][] }>({
    key,
    pages: [],
  })
  const [opened, open] = useState<number>()
  const further = more.key === key ? more.pages : []
  const cursor = (further.at(-1) ?? data)?.nextCursor
  const readOn = async () => {
    if (!cursor) return
    const page = await api.calls.query({ ...query, cursor })
    setMore({ key, pages: [...further, page] })
  }
  if (error) return <p role="alert">{explain(error)}</p>
  const calls = unique([data, ...further].flatMap((page) => page?.calls ?? []))
  return (
    <section aria-label="Calls">
      <h2>Calls</h2>
      <UsageTable
        caption="Single calls, the latest first"
        rows={calls}
        keyOf={({ id }) => String(id)}
        columns={callColumns(timeZone, open)}
      />
      {cursor && (
        <button type="button" onClick={() => void readOn().catch(() => {})}>
          Show more
        </button>
      )}
      {opened !== undefined && <CallDetails id={opened} timeZone={timeZone} close={() => open(undefined)} />}
    </section>
  )
}

function CallDetails({
  id,
  timeZone,
  close,
}: {
  readonly id: number
  readonly timeZone: string | undefined
  readonly close: () => void
}) {
  const { data, error } = useQuery(String(id), 0, () => api.callDetails.query({ id }))
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} onClose={close} aria-label={`Call ${id}`}>
      <h2>Call {id}</h2>
      {error ? <p role="alert">{explain(error)}</p> : null}
      <dl class="details">
        {Object.entries(data ?? {}).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{name === 'timestamp' ? formatTime(String(value), timeZone) : show(value)}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  )
}

function callColumns(timeZone: string | undefined, open: (id: number) => void): Column<Call>[] {
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
    { name: 'User', isText: true, value: ({ userEmail }) => userEmail, show: ({ userEmail }) => userEmail },
    { name: 'Model', isText: true, value: ({ modelName }) => modelName, show: ({ modelName }) => modelName },
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

function show(value: unknown): string {
  if (value === null || value === undefined) return '-'
  return typeof value === 'object' ? JSON.stringify(value, undefined, 2) : String(value)
}

// A page that is asked for again meanwhile may begin later, and overlap with the next.
function unique(calls: readonly Call[]): Call[] {
  return [...new Map(calls.map((call) => [call.id, call])).values()]
}
