import { addressOf } from './api.js'
import { type PageState, toQuery } from './page-state.js'

/** The calls that the page shows, as files. As downloads, so that an answer that is none does not take the place of the page. */
export function ExportLinks({ state }: { readonly state: PageState }) {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(toQuery(state))) if (value !== undefined) parameters.set(name, value)
  return (
    <p class="export">
      Export all of them:{' '}
      <a download href={`${addressOf('api/export.csv')}?${parameters}`}>
        CSV
      </a>{' '}
      <a download href={`${addressOf('api/export.json')}?${parameters}`}>
        JSON
      </a>
    </p>
  )
}
