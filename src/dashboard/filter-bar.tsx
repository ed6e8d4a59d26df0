import { useState } from 'preact/hooks'
import { NameField } from './name-field.js'
import { dimensionNames, type FilterName, filterNames, initialState, type PageState, statuses } from './page-state.js'

export type FilterBarProps = {
  readonly state: PageState
  readonly change: (change: Partial<PageState>) => void
  /** A user who sees only their own usage has nobody to choose. */
  readonly canChooseUser: boolean
  readonly timeZone: string | undefined
}

const ranges: readonly (readonly [since: string, name: string])[] = [
  ['1d', 'Today'],
  ['24h', '24 hours'],
  ['7d', '7 days'],
  ['30d', '30 days'],
  ['90d', '90 days'],
]

// A year that is being typed is 0002, 0020 and 0202 before it is 2026; there are no calls of then.
const firstDay = '1970-01-01'

/** Which range and which calls the page is about. */
export function FilterBar({ state, change, canChooseUser, timeZone }: FilterBarProps) {
  const names = filterNames.filter((name) => canChooseUser || name !== 'user')
  return (
    <form class="filters" aria-label="What is shown" onSubmit={(event) => event.preventDefault()}>
      <RangeField state={state} change={change} />
      <DayField
        name="From"
        value={isDay(state.since) ? state.since : ''}
        change={(since) => change({ since: since || initialState.since })}
      />
      <DayField name="To" value={state.until ?? ''} change={(until) => change({ until: until || undefined })} />
      <label>
        Times
        <select
          class="zone"
          value={state.zone}
          onChange={(event) => change({ zone: event.currentTarget.value === 'local' ? 'local' : 'reporting' })}
        >
          <option value="reporting">{timeZone ?? 'reporting zone'}</option>
          <option value="local">this browser's</option>
        </select>
      </label>
      <AddFilter
        state={state}
        names={names}
        add={(name, value) => change({ filters: { ...state.filters, [name]: value } })}
      />
      <ActiveFilters state={state} change={change} />
    </form>
  )
}

function RangeField({ state, change }: Pick<FilterBarProps, 'state' | 'change'>) {
  const isNamed = state.until === undefined && ranges.some(([since]) => since === state.since)
  return (
    <label>
      Range
      <select
        value={isNamed ? state.since : ''}
        onChange={(event) => change({ since: event.currentTarget.value, until: undefined })}
      >
        {!isNamed && <option value="">chosen days</option>}
        {ranges.map(([since, name]) => (
          <option key={since} value={since}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}

function DayField({
  name,
  value,
  change,
}: {
  readonly name: string
  readonly value: string
  readonly change: (day: string) => void
}) {
  return (
    <label>
      {name}
      <input
        type="date"
        value={value}
        onChange={({ currentTarget: { value: day } }) => (day === '' || day >= firstDay) && change(day)}
      />
    </label>
  )
}

type AddFilterProps = Pick<FilterBarProps, 'state'> & {
  readonly names: readonly FilterName[]
  readonly add: (name: FilterName, value: string) => void
}

function AddFilter({ state, names, add }: AddFilterProps) {
  const [name, setName] = useState<FilterName>('model')
  const [value, setValue] = useState('')
  const choose = (chosen: FilterName) => {
    setName(chosen)
    // What was typed before is no status.
    if (chosen === 'status') setValue('')
  }
  const submit = () => {
    if (value === '') return
    add(name, value)
    setValue('')
  }
  return (
    <fieldset>
      <legend>Filter</legend>
      <select aria-label="Filter by" value={name} onChange={(event) => choose(event.currentTarget.value as FilterName)}>
        {names.map((each) => (
          <option key={each} value={each}>
            {dimensionNames[each]}
          </option>
        ))}
      </select>
      {name === 'status' ? (
        <select aria-label="is" value={value} onChange={(event) => setValue(event.currentTarget.value)}>
          {['', ...statuses].map((status) => (
            <option key={status} value={status}>
              {status}
            </option>
          ))}
        </select>
      ) : (
        <NameField state={state} by={name} value={value} change={setValue} submit={submit} />
      )}
      <button type="button" onClick={submit}>
        Add
      </button>
    </fieldset>
  )
}

function ActiveFilters({ state, change }: Pick<FilterBarProps, 'state' | 'change'>) {
  const active = filterNames.filter((name) => state.filters[name] !== undefined)
  const remove = (name: FilterName) => {
    const { [name]: _removed, ...filters } = state.filters
    change({ filters })
  }
  if (active.length === 0) return null
  return (
    <ul class="chips" aria-label="Filters">
      {active.map((name) => (
        <li key={name}>
          <button
            type="button"
            title={`${dimensionNames[name]} ${state.filters[name]}: remove this filter`}
            onClick={() => remove(name)}
          >
            {dimensionNames[name]}: <strong>{state.filters[name] || '(none)'}</strong> <span aria-hidden="true">×</span>
            <span class="unseen">, remove</span>
          </button>
        </li>
      ))}
    </ul>
  )
}

function isDay(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text)
}
