import { type UsageQuery, usageQuerySchema } from './usage-query.js'
import { parseInput, readQueryFile, readReport, type UsageReader } from './usage-reader.js'

export type MonthProjection = {
  /** First day of this month in the reporting zone. */
  readonly month: string
  /** Days after today. */
  readonly daysLeft: number
  readonly requests: number
  readonly unpriced: number
  readonly unknown: number
  /** US dollars so far, today included. Null where no call has a price. */
  readonly costUsd: string | null
  /** The days before today that the mean is taken of: seven, or fewer where the first call was made later. */
  readonly daysCounted: number
  /** Their mean. Null where there are none. */
  readonly dailyCostUsd: string | null
  /** `costUsd` with today and each day that is left at that mean, or today as it is where it cost more. Null with fewer than three days. */
  readonly projectedCostUsd: string | null
}

const filterSchema = usageQuerySchema.omit({ since: true, until: true, status: true })
const selectProjection = readQueryFile('month-projection')

/** What this month has cost, and what it comes to if the rest of it costs what the last seven days did. */
export async function projectMonth(
  reader: UsageReader,
  filter: Omit<UsageQuery, 'since' | 'until' | 'status'> = {},
): Promise<MonthProjection> {
  return readReport(reader, parseInput(filterSchema, filter), async ({ read, scope, today }) => {
    const [, , ...names] = scope.dayValues
    const [projection] = await read(selectProjection(), [today, ...names])
    return projection as MonthProjection
  })
}
