import { useState } from 'preact/hooks'
import { api, askNow } from './api.js'
import { type Dimension, type PageState, toQuery } from './page-state.js'
import { useQuery } from './use-query.js'

export type NameFieldProps = {
  readonly state: PageState
  /** What the name is one of. */
  readonly by: Dimension
  readonly value: string
  readonly change: (value: string) => void
  readonly submit: () => void
}

const mostNames = 100

/** A name to filter by, any at all. While somebody is in it, it suggests those of the calls that are shown. */
export function NameField({ state, by, value, change, submit }: NameFieldProps) {
  const [isUsed, use] = useState(false)
  const { [by]: _replaced, ...filters } = state.filters
  const query = { ...toQuery({ ...state, filters }), by, limit: mostNames }
  const { data } = useQuery(JSON.stringify([isUsed, query]), 0, async (signal) =>
    isUsed ? askNow(() => api.breakdown.query(query), signal) : undefined,
  )
  // Without those that have no name, and what stands for all others.
  const names = new Set(data?.groups.flatMap(({ group }) => group || []))
  return (
    <>
      <input
        aria-label="is"
        placeholder="is exactly"
        maxLength={320}
        list="names"
        autocomplete="off"
        value={value}
        onFocus={() => use(true)}
        onBlur={() => use(false)}
        onInput={(event) => change(event.currentTarget.value)}
        onKeyDown={(event) => event.key === 'Enter' && submit()}
      />
      <datalist id="names">
        {[...names].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  )
}
