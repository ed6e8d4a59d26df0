import { useEffect, useRef } from 'preact/hooks'
import { api } from './api.js'
import { formatTime } from './format.js'
import { Problem } from './problem.js'
import { useQuery } from './use-query.js'

export type CallDetailsProps = {
  readonly id: number
  readonly timeZone: string | undefined
  readonly close: () => void
}

/** Everything that is known of one call, over the page until it is closed. */
export function CallDetails({ id, timeZone, close }: CallDetailsProps) {
  const { data, ...asked } = useQuery(String(id), 0, () => api.callDetails.query({ id }))
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} onClose={close} aria-label={`Call ${id}`} aria-busy={asked.isLoading}>
      <div class="title">
        <h2>Call {id}</h2>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
      <Problem {...asked} />
      <dl class="details">
        {Object.entries(data ?? {}).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{name === 'timestamp' ? formatTime(String(value), timeZone) : show(value)}</dd>
          </div>
        ))}
      </dl>
    </dialog>
  )
}

function show(value: unknown): string {
  if (value === null || value === undefined) return '-'
  return typeof value === 'object' ? JSON.stringify(value, undefined, 2) : String(value)
}
