import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { TokenLedgerError } from '../errors.js'
import { type ReadQuery, readSnapshot } from '../postgres/read-rows.js'
import type { UsagePool } from '../postgres/usage-exporter.js'
import { type UsageQuery, usageQuerySchema } from './usage-query.js'
import type { UsageRange } from './usage-sums.js'

/** Where reports are read from. The pool should be a small one of its own, so that the logger never waits for a report. */
export type UsageReader = {
  readonly pool: UsagePool
  /** Milliseconds that one query may take. */
  readonly timeoutMs: number
}

/** One range of time with the filters of a report, as its queries take them. */
export type UsageScope = {
  readonly range: UsageRange
  readonly filter: Omit<UsageQuery, 'since' | 'until'>
  /** `$1` to `$8` of the queries of days: first and last day, user, model, provider, operation, project, request type. */
  readonly dayValues: readonly unknown[]
  /** `$1` to `$12` of the queries of rows: the same, then reporting zone, first instant, end, status. */
  readonly rowValues: readonly unknown[]
}

/** What one report has to work with. */
export type UsageReport = {
  readonly scope: UsageScope
  /** The period of the same length before; undefined where the range has no beginning. */
  readonly previous: UsageScope | undefined
  /** Today in the reporting zone. */
  readonly today: string
  readonly read: ReadQuery
}

type ResolvedRange = {
  readonly timeZone: string
  readonly today: string
  /** Both null for a range of instants. */
  readonly firstDay: string | null
  readonly lastDay: string | null
  readonly from: string
  readonly to: string
  readonly isEmpty: boolean
}

const selectTimeRange = readQueryFile('time-range')

/** The text of a file of `sql/queries`, which is read when it is first asked for: who only logs needs none of them. */
export function readQueryFile(name: string): () => string {
  let text: string | undefined
  return () => {
    text ??= readFileSync(new URL(`../../sql/queries/${name}.sql`, import.meta.url), 'utf8')
    return text
  }
}

/** Checks what a caller of a report has passed; throws a `TokenLedgerError` that names what is wrong. */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => [...path, message].join(': '))
  throw new TokenLedgerError('TOKENLEDGER_USAGE_QUERY', `The report cannot be made: ${problems.join('; ')}.`)
}

/** Runs the queries of one report on one snapshot. Throws where `until` lies before `since`. */
export async function readReport<T>(
  { pool, timeoutMs }: UsageReader,
  query: UsageQuery,
  work: (report: UsageReport) => Promise<T>,
): Promise<T> {
  const { since, until, ...filter } = parseInput(usageQuerySchema, query)
  const values = [toDay, toDays, toInstant, toHours].flatMap((convert) => [convert(since), convert(until)])
  return readSnapshot(pool, timeoutMs, async (read) => {
    const [range, previous] = (await read(selectTimeRange(), values)) as [ResolvedRange, ResolvedRange?]
    if (range.isEmpty) {
      throw new TokenLedgerError('TOKENLEDGER_USAGE_QUERY', 'The report cannot be made: until lies before since.')
    }
    return work({
      scope: createScope(range, filter),
      previous: previous && createScope(previous, filter),
      today: range.today,
      read,
    })
  })
}

function createScope(
  { timeZone, firstDay, lastDay, from, to }: ResolvedRange,
  filter: UsageScope['filter'],
): UsageScope {
  const isOfDays = firstDay !== null
  const names = [filter.user, filter.model, filter.provider, filter.operation, filter.project, filter.requestType]
  const dayValues = [firstDay, lastDay, ...names]
  return {
    range: {
      timeZone,
      firstDay: toFinite(firstDay),
      lastDay: toFinite(lastDay),
      from: isOfDays ? null : toFinite(from),
      to: isOfDays ? null : toFinite(to),
    },
    filter,
    dayValues,
    rowValues: [...dayValues, timeZone, from, to, filter.status],
  }
}

function toFinite(bound: string | null): string | null {
  return bound === null || bound.endsWith('infinity') ? null : bound
}

type Convert = (bound: string | undefined) => string | number | null

const toDay: Convert = (bound) => (bound && /^\d{4}-\d\d-\d\d$/.test(bound) ? bound : null)
const toInstant: Convert = (bound) => (bound?.includes('T') ? bound : null)
const toDays: Convert = (bound) => countUnits(bound, { d: 1, w: 7 })
const toHours: Convert = (bound) => countUnits(bound, { h: 1 })

function countUnits(bound: string | undefined, units: Readonly<Record<string, number>>): number | null {
  const [, count, unit = ''] = /^(\d+)([hdw])$/.exec(bound ?? '') ?? []
  const factor = units[unit]
  return factor === undefined ? null : Number(count) * factor
}
