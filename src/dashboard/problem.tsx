import { explain } from './api.js'
import type { QueryState } from './use-query.js'

/** Says in place of a part of the page why it is not there, and asks for it again on demand. */
export function Problem({ error, retry, isLoading }: Omit<QueryState<unknown>, 'data'>) {
  if (error === undefined) return null
  return (
    <div class="problem" role="alert">
      <p>{explain(error)}</p>
      <button type="button" aria-disabled={isLoading} onClick={retry}>
        Try again
      </button>
    </div>
  )
}
