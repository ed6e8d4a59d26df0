import { describe, expect, it } from 'vitest'
import { listPeriods, stackByGroup, stackFigures } from '../../src/dashboard/chart-data.js'

const days = ['2026-03-01', '2026-03-02', '2026-03-03']
const options = {
  nameOf: (group: string | null) => group ?? 'all others',
  figureOf: ({ figure }: { figure: number }) => figure,
}

describe('stackByGroup', () => {
  it('has the largest group first, all others last, and a value for each period', () => {
    const points = [
      { period: '2026-03-01', group: null, figure: 100 },
      { period: '2026-03-01', group: 'small', figure: 1 },
      { period: '2026-03-03', group: 'large', figure: 5 },
    ]

    const { layers } = stackByGroup(points, days, options)

    expect(layers.map(({ name, values, isRest }) => [name, values, isRest])).toEqual([
      ['large', [0, 0, 5], false],
      ['small', [1, 0, 0], false],
      ['all others', [100, 0, 0], true],
    ])
  })

  it('adds up a model that is called at two providers', () => {
    const points = [1, 2].map((figure) => ({ period: '2026-03-02', group: 'model', figure }))

    expect(stackByGroup(points, days, options).layers).toMatchObject([{ values: [0, 3, 0] }])
  })

  it('leaves out groups without any figure, as those without a price', () => {
    const points = [{ period: '2026-03-02', group: 'unpriced', figure: 0 }]

    expect(stackByGroup(points, days, options).layers).toEqual([])
  })

  it('adds up all there is, what has no layer too, and knows no sum of nothing but unknown figures', () => {
    const points = [
      { period: '2026-03-01', group: 'model', figure: 5 },
      { period: '2026-03-01', group: 'refund', figure: -2 },
      { period: '2026-03-01', group: 'unpriced', figure: null },
      { period: '2026-03-02', group: 'unpriced', figure: null },
    ]
    const sumsOf = (of: typeof points) =>
      stackByGroup(of, days, { ...options, figureOf: ({ figure }: { figure: number | null }) => figure })

    expect(sumsOf(points)).toMatchObject({ totals: [3, null, 0], total: 3 })
    expect(sumsOf(points.slice(2))).toMatchObject({ totals: [null, null, 0], total: null })
    expect(sumsOf([])).toMatchObject({ totals: [0, 0, 0], total: 0 })
  })
})

describe('stackFigures', () => {
  it('has a layer for each figure that is ever more than zero', () => {
    const points = [{ period: '2026-03-02', input: 3, output: 0 }]

    const { layers } = stackFigures(points, days, { Input: ({ input }) => input, Output: ({ output }) => output })

    expect(layers).toEqual([{ name: 'Input', values: [0, 3, 0] }])
  })

  it('knows no sum of a period without a known figure', () => {
    const points = [
      { period: '2026-03-01', input: 3, output: null },
      { period: '2026-03-02', input: null, output: null },
    ]

    expect(stackFigures(points, days, { Input: ({ input }) => input, Output: ({ output }) => output })).toMatchObject({
      totals: [3, null, 0],
      total: 3,
    })
  })
})

describe('listPeriods', () => {
  const now = new Date('2026-03-03T23:30:00Z')
  const list = (
    period: 'hour' | 'day' | 'week' | 'month',
    range: { firstDay: string | null; lastDay: string | null; timeZone?: string },
    points: string[] = [],
  ) =>
    listPeriods(
      points.map((each) => ({ period: each })),
      { period, range: { timeZone: 'UTC', ...range } },
      now,
    )

  it('has every day of a range, also those without calls', () => {
    expect(list('day', { firstDay: '2026-02-27', lastDay: '2026-03-01' })).toEqual([
      '2026-02-27',
      '2026-02-28',
      '2026-03-01',
    ])
  })

  it('ends with today in the reporting zone where the range has no end', () => {
    const range = { firstDay: '2026-03-02', lastDay: null }

    expect(list('day', range).at(-1)).toBe('2026-03-03')
    expect(list('day', { ...range, timeZone: 'Asia/Kolkata' }).at(-1)).toBe('2026-03-04')
    expect(list('day', range, ['2026-03-05']).at(-1)).toBe('2026-03-05')
  })

  it('begins weeks on Monday and months on the first', () => {
    const range = { firstDay: '2026-01-01', lastDay: '2026-03-03' }

    expect(list('week', range).slice(0, 2)).toEqual(['2025-12-29', '2026-01-05'])
    expect(list('month', range)).toEqual(['2026-01-01', '2026-02-01', '2026-03-01'])
  })

  it('has every hour from the first call to the last, over the end of a day', () => {
    const hours = list('hour', { firstDay: null, lastDay: null }, ['2026-03-01T22:00:00Z', '2026-03-02T01:00:00Z'])

    expect(hours).toEqual([
      '2026-03-01T22:00:00Z',
      '2026-03-01T23:00:00Z',
      '2026-03-02T00:00:00Z',
      '2026-03-02T01:00:00Z',
    ])
  })

  it('is empty where nothing tells where a range begins', () => {
    expect(list('day', { firstDay: null, lastDay: null })).toEqual([])
  })

  it('stays bounded, whatever the range', () => {
    expect(list('day', { firstDay: '1970-01-01', lastDay: '9999-01-01' })).toHaveLength(1000)
  })
})
