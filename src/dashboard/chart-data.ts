/** One colour of a stacked chart: its value in each period, from the first to the last. */
export type ChartLayer = {
  readonly name: string
  readonly values: readonly number[]
  /** All groups together that have no layer of their own. */
  readonly isRest?: boolean
}

/** Columns of a chart: one for each period, also for those in which nothing happened. */
export type ChartData = {
  readonly periods: readonly string[]
  readonly layers: readonly ChartLayer[]
  /** What each period adds up to, with what has no layer; null where there were calls and no figure of them is known. */
  readonly totals: readonly (number | null)[]
  /** The same of the whole range. */
  readonly total: number | null
}

export type PeriodLength = 'hour' | 'day' | 'week' | 'month'
type Point = { readonly period: string | null }
type Extent = {
  readonly period: PeriodLength
  readonly range: { readonly timeZone: string; readonly firstDay: string | null; readonly lastDay: string | null }
}

/** Columns with a layer for each group that has a figure at all: the largest first, and at last all others together. */
export function stackByGroup<P extends Point & { readonly group: string | null }>(
  points: readonly P[],
  periods: readonly string[],
  { nameOf, figureOf }: { nameOf: (group: string | null) => string; figureOf: (point: P) => number | null },
): ChartData {
  const at = new Map(periods.map((period, index) => [period, index]))
  const layers = new Map<string | null, number[]>()
  for (const point of points) {
    const values = layers.get(point.group) ?? periods.map(() => 0)
    layers.set(point.group, values)
    const index = at.get(point.period ?? '')
    // A model that is called at two providers is two groups of one name.
    if (index !== undefined) values[index] = (values[index] ?? 0) + (figureOf(point) ?? 0)
  }
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
  const sorted = [...layers].sort(
    ([a, one], [b, other]) => Number(a === null) - Number(b === null) || total(other) - total(one),
  )
  const shown = sorted.filter(([, values]) => total(values) > 0)
  return {
    periods,
    layers: shown.map(([group, values]) => ({ name: nameOf(group), values, isRest: group === null })),
    ...addUp(points, periods, (point) => [figureOf(point)]),
  }
}

/** Columns with a layer for each figure of a point. */
export function stackFigures<P extends Point>(
  points: readonly P[],
  periods: readonly string[],
  figures: Readonly<Record<string, (point: P) => number | null>>,
): ChartData {
  const at = new Map(points.map((point) => [point.period, point]))
  const layers = Object.entries(figures).map(([name, figureOf]) => ({
    name,
    values: periods.map((period) => {
      const point = at.get(period)
      return point === undefined ? 0 : (figureOf(point) ?? 0)
    }),
  }))
  return {
    periods,
    layers: layers.filter(({ values }) => values.some((value) => value > 0)),
    ...addUp(points, periods, (point) => Object.values(figures).map((figureOf) => figureOf(point))),
  }
}

function addUp<P extends Point>(
  points: readonly P[],
  periods: readonly string[],
  figuresOf: (point: P) => readonly (number | null)[],
): Pick<ChartData, 'totals' | 'total'> {
  const sums = new Map<string | null, number | null>()
  let total: number | null = points.length === 0 ? 0 : null
  for (const point of points) {
    for (const figure of figuresOf(point)) {
      const before = sums.get(point.period) ?? null
      sums.set(point.period, figure === null ? before : (before ?? 0) + figure)
      if (figure !== null) total = (total ?? 0) + figure
    }
  }
  return { totals: periods.map((period) => sums.get(period) ?? (sums.has(period) ? null : 0)), total }
}

/**
 * Every period of a range of days, those without calls too: to its last day, or to today where it has no end. Of other ranges
 * from the first point to the last.
 */
export function listPeriods(
  points: readonly Point[],
  { period: length, range: { firstDay, lastDay, timeZone } }: Extent,
  now = new Date(),
): string[] {
  const known = points.flatMap(({ period }) => period ?? []).sort()
  const isOfDays = length !== 'hour' && firstDay !== null
  const today = now.toLocaleDateString('sv-SE', { timeZone })
  const first = isOfDays ? startOf(firstDay, length) : known[0]
  const last = isOfDays ? (lastDay ?? [...known, today].sort().at(-1)) : known.at(-1)
  if (first === undefined || last === undefined) return []
  const periods = [first]
  for (let next = after(first, length); next <= last && periods.length < mostColumns; next = after(next, length))
    periods.push(next)
  return periods
}

const mostColumns = 1000
const dayMs = 86_400_000

function startOf(day: string, length: PeriodLength): string {
  if (length === 'month') return `${day.slice(0, 7)}-01`
  if (length !== 'week') return day
  const time = Date.parse(day)
  return toDay(time - ((new Date(time).getUTCDay() + 6) % 7) * dayMs)
}

function after(period: string, length: PeriodLength): string {
  if (length === 'hour')
    return new Date(Date.parse(period) + 3_600_000).toISOString().replace('.000', period.includes('.') ? '.000' : '')
  if (length !== 'month') return toDay(Date.parse(period) + (length === 'week' ? 7 : 1) * dayMs)
  const [year = 0, month = 0] = period.split('-').map(Number)
  return toDay(Date.UTC(year, month, 1))
}

function toDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}
