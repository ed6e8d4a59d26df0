import { explain } from './api.js'
import type { QueryState } from './use-query.js'

/** Of a part that could not be asked for anew. */
export const olderFigures = 'These figures are older.'

export type ProblemProps = Omit<QueryState<unknown>, 'data'> & {
  /** What is said of figures that were there before, and still are. */
  readonly old?: string | undefined
}

/** Says in place of a part of the page why it is not there, or not new, and asks for it again on demand. */
export function Problem({ error, retry, isLoading, old }: ProblemProps) {
  if (error === undefined) return null
  const reason = explain(error).replace(/\.$/, '')
  return (
    <div class={old === undefined ? 'problem' : 'problem old'} role="alert">
      <p>
        {reason.charAt(0).toUpperCase() + reason.slice(1)}. {old}
      </p>
      <button type="button" aria-disabled={isLoading} onClick={retry}>
        Try again
      </button>
    </div>
  )
}
