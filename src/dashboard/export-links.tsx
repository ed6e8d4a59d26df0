import { addressOf } from './api.js'
import { type PageState, toQuery } from './page-state.js'

/** The calls that the page shows, as files. */
export function ExportLinks({ state }: { readonly state: PageState }) {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(toQuery(state))) if (value !== undefined) parameters.set(name, value)
  return (
    <p class="export">
      Export all of them: <a href={`${addressOf('api/export.csv')}?${parameters}`}>CSV</a>{' '}
      <a href={`${addressOf('api/export.json')}?${parameters}`}>JSON</a>
    </p>
  )
}
