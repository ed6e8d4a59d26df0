/** What the page shows: all of it is in the address, so that a link shows the same. */
export type PageState = {
  /** As `tokenledger report --since` takes it; `30d` by default. */
  readonly since: string
  readonly until: string | undefined
  /** What cost and calls are told apart by. */
  readonly by: Dimension
  /** Times in the reporting zone, or in that of the browser. */
  readonly zone: 'reporting' | 'local'
  readonly filters: Filters
}

export const dimensions = ['model', 'provider', 'user', 'operation', 'project', 'requestType'] as const
export type Dimension = (typeof dimensions)[number]

export const dimensionNames: Readonly<Record<FilterName, string>> = {
  user: 'User',
  model: 'Model',
  provider: 'Provider',
  operation: 'Operation',
  project: 'Project',
  requestType: 'Request type',
  status: 'Status',
}

/** How a call ended. */
export const statuses = ['ok', 'error', 'aborted'] as const

export type FilterName = Dimension | 'status'
export const filterNames: readonly FilterName[] = [...dimensions, 'status']
export type Filters = Readonly<Partial<Record<FilterName, string>>>

export const initialState: PageState = { since: '30d', until: undefined, by: 'model', zone: 'reporting', filters: {} }

/** The state that an address tells (`?since=7d&model=gpt-4o`); what it leaves out or cannot mean is as at first. */
export function readPageState(search: string): PageState {
  const parameters = new URLSearchParams(search)
  const by = parameters.get('by') as Dimension
  const filters = filterNames.flatMap((name) => {
    const value = parameters.get(name)
    const isMeant = name !== 'status' || statuses.some((status) => status === value)
    return value === null || !isMeant ? [] : [[name, value]]
  })
  return {
    since: parameters.get('since') || initialState.since,
    until: parameters.get('until') || undefined,
    by: dimensions.includes(by) ? by : initialState.by,
    zone: parameters.get('zone') === 'local' ? 'local' : 'reporting',
    filters: Object.fromEntries(filters),
  }
}

/** The state for somebody who sees only their own usage, whomever the address names. */
export function withoutUser(state: PageState): PageState {
  const { user: _user, ...filters } = state.filters
  return { ...state, filters, by: state.by === 'user' ? initialState.by : state.by }
}

/** The other way round; what is as at first is left out. */
export function writePageState({ since, until, by, zone, filters }: PageState): string {
  const parameters = new URLSearchParams()
  if (since !== initialState.since) parameters.set('since', since)
  if (until !== undefined) parameters.set('until', until)
  if (by !== initialState.by) parameters.set('by', by)
  if (zone !== initialState.zone) parameters.set('zone', zone)
  for (const name of filterNames) {
    const value = filters[name]
    if (value !== undefined) parameters.set(name, value)
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

/** The query of a state, as the reports take it. */
export function toQuery({ since, until, filters }: PageState) {
  const { status, ...names } = filters
  return { since, until, ...names, status: statuses.find((known) => known === status) }
}

/** Whether the range is one of days, as recommendations need it; the server refuses what is neither a day nor a duration. */
export function isOfWholeDays({ since, until }: PageState): boolean {
  return [since, until ?? since].every((time) => /^(\d+[dw]|\d{4}-\d\d-\d\d)$/.test(time))
}

/** The same for what reads every row: of a range without an end the last seven days at most. */
export function toLatencyQuery(state: PageState, now = new Date()) {
  return { ...toQuery(state), ...(isCut(state, now) ? { since: `${mostDaysOfRows}d` } : {}) }
}

/** Says so where `toLatencyQuery` is about less than the whole range. */
export function daysRead(state: PageState, now = new Date()): string | undefined {
  return isCut(state, now) ? `of the last ${mostDaysOfRows} days` : undefined
}

const mostDaysOfRows = 7

function isCut({ since, until }: PageState, now: Date): boolean {
  return until === undefined && now.getTime() - begin(since, now) > mostDaysOfRows * dayMs
}

type Range = { readonly timeZone: string; readonly firstDay: string | null; readonly lastDay: string | null }

/** What is shown, in words: `2026-03-01 to 2026-03-30 (Europe/Berlin), model gpt-4o`. */
export function describeState({ since, until, filters }: PageState, range: Range | undefined): string {
  const isOfDays = range !== undefined && range.firstDay !== null
  const first = isOfDays ? range.firstDay : since
  const last = isOfDays ? (range.lastDay ?? 'today') : (until ?? 'now')
  const zone = range === undefined ? '' : ` (${range.timeZone})`
  const active = filterNames.flatMap((name) => {
    const value = filters[name]
    return value === undefined ? [] : `${dimensionNames[name].toLowerCase()} ${value || '(none)'}`
  })
  return [`${first} to ${last}${zone}`, ...active].join(', ')
}

/** The zone that times are shown in; undefined for the browser's own. */
export function zoneOf({ zone }: PageState, range: Pick<Range, 'timeZone'> | undefined): string | undefined {
  return zone === 'local' ? undefined : range?.timeZone
}

/** The period that makes a readable number of columns of a range. */
export function choosePeriod(
  since: string,
  until: string | undefined,
  now = new Date(),
): 'hour' | 'day' | 'week' | 'month' {
  const days = (end(until, now) - begin(since, now)) / dayMs
  if (days <= 2.1) return 'hour'
  if (days <= 95) return 'day'
  return days <= 370 ? 'week' : 'month'
}

const dayMs = 86_400_000
const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, d: dayMs, w: 7 * dayMs }

function begin(since: string, now: Date): number {
  const unit = unitMs[since.slice(-1)]
  return unit !== undefined && /^\d+\w$/.test(since)
    ? now.getTime() - Number.parseInt(since, 10) * unit
    : Date.parse(since)
}

function end(until: string | undefined, now: Date): number {
  if (until === undefined) return now.getTime()
  return /^\d{4}-\d\d-\d\d$/.test(until) ? Date.parse(until) + dayMs : begin(until, now)
}
