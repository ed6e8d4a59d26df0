import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  choosePeriod,
  daysRead,
  describeState,
  dimensions,
  filterNames,
  initialState,
  isOfWholeDays,
  type PageState,
  readPageState,
  statuses,
  toLatencyQuery,
  toQuery,
  withoutUser,
  writePageState,
} from '../../src/dashboard/page-state.js'

const now = new Date('2026-03-31T12:00:00Z')
const text = fc.string({ unit: 'binary', maxLength: 320 }).filter((value) => value.isWellFormed())
const state: fc.Arbitrary<PageState> = fc.record({
  since: fc.constantFrom('30d', '7d', '24h', '2026-03-01'),
  until: fc.constantFrom(undefined, '2026-03-31'),
  by: fc.constantFrom(...dimensions),
  zone: fc.constantFrom('reporting' as const, 'local' as const),
  filters: fc.record(
    { ...Object.fromEntries(filterNames.map((name) => [name, text])), status: fc.constantFrom(...statuses) },
    { requiredKeys: [] },
  ),
})

describe('the address', () => {
  it('tells every state, whatever the names', () => {
    fc.assert(
      fc.property(state, (each) => {
        expect(readPageState(writePageState(each))).toEqual({ ...each, filters: { ...each.filters } })
      }),
      { seed: 1 },
    )
  })

  it('is bare for the state at first, and what it cannot mean is as at first', () => {
    expect(writePageState(initialState)).toBe('')
    expect(readPageState('?by=nothing&zone=mars&other=1&since=&until=&status=broken')).toEqual(initialState)
  })
})

describe('the query of a state', () => {
  it('has no status that the reports do not know', () => {
    const query = (status: string) => toQuery({ ...initialState, filters: { status, model: 'm' } })

    expect(statuses.map((status) => query(status).status)).toEqual([...statuses])
    expect(query('broken')).toEqual({ since: '30d', until: undefined, model: 'm', status: undefined })
  })

  it('is about nobody in particular where a user sees only their own', () => {
    const own = withoutUser({ ...initialState, by: 'user', filters: { user: 'bob', model: 'm' } })

    expect(own).toEqual({ ...initialState, filters: { model: 'm' } })
  })

  it.each([
    ['30d', undefined, '7d'],
    ['2026-03-01', undefined, '7d'],
    ['7d', undefined, '7d'],
    ['24h', undefined, '24h'],
    ['2026-03-01', '2026-03-31', '2026-03-01'],
  ])('reads the rows of %s to %s from %s', (since, until, read) => {
    const each = { ...initialState, since, until }

    expect(toLatencyQuery(each, now).since).toBe(read)
    expect(daysRead(each, now)).toBe(read === since ? undefined : 'of the last 7 days')
  })
})

describe('isOfWholeDays', () => {
  it.each([
    ['30d', undefined, true],
    ['2w', undefined, true],
    ['24h', undefined, false],
    ['2026-03-01', '2026-03-31', true],
    ['2026-03-01', '2026-03-31T12:00:00Z', false],
    ['2026-03-01T12:00:00Z', undefined, false],
  ])('says of %s to %s whether recommendations are made of it: %s', (since, until, isOfDays) => {
    expect(isOfWholeDays({ ...initialState, since, until })).toBe(isOfDays)
  })
})

describe('choosePeriod', () => {
  it.each([
    ['24h', undefined, 'hour'],
    ['1d', undefined, 'hour'],
    ['30d', undefined, 'day'],
    ['90d', undefined, 'day'],
    ['52w', undefined, 'week'],
    ['2020-01-01', undefined, 'month'],
    ['2026-03-01', '2026-03-02', 'hour'],
    ['2026-01-01', '2026-03-31', 'day'],
  ])('makes columns of %s to %s by the %s', (since, until, period) => {
    expect(choosePeriod(since, until, now)).toBe(period)
  })
})

describe('describeState', () => {
  it('says in words which calls are shown', () => {
    const range = { timeZone: 'Europe/Berlin', firstDay: '2026-03-02', lastDay: null }

    expect(describeState(initialState, undefined)).toBe('30d to now')
    expect(describeState({ ...initialState, filters: { model: 'gpt-4o', project: '' } }, range)).toBe(
      '2026-03-02 to today (Europe/Berlin), model gpt-4o, project (none)',
    )
  })
})
