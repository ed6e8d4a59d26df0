import { type UsageQuery, usageQuerySchema } from './usage-query.js'
import { parseInput, readQueryFile, readReport, type UsageReader } from './usage-reader.js'
import type { UsageRange } from './usage-sums.js'

/** Records of one reason that the rows do not contain. */
export type UsageGap = {
  /** Dropped for good, or refused by the table and kept whole (`tokenledger dead-letters`). */
  readonly kind: 'loss' | 'dead letter'
  readonly reason: string
  readonly records: number
  /** Null for dead letters, whose records tell it themselves. */
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  /** ISO 8601: of the calls that were lost, or when the records were refused. */
  readonly firstAt: string
  readonly lastAt: string
}

export type UsageGaps = {
  readonly range: UsageRange
  /** How many records the rows of the range are short of: they are exact where it is 0. */
  readonly records: number
  readonly gaps: readonly UsageGap[]
}

const rangeSchema = usageQuerySchema.pick({ since: true, until: true })
const selectGaps = readQueryFile('usage-gaps')

/** What the rows of a range do not contain: losses that touch it, and records that were refused in it. */
export async function getUsageGaps(
  reader: UsageReader,
  range: Pick<UsageQuery, 'since' | 'until'> = {},
): Promise<UsageGaps> {
  return readReport(reader, parseInput(rangeSchema, range), async ({ read, scope }) => {
    const [firstDay, lastDay] = scope.dayValues
    const [zone, from, to] = scope.rowValues.slice(scope.dayValues.length)
    const gaps = (await read(selectGaps(), [firstDay, lastDay, zone, from, to])) as UsageGap[]
    return { range: scope.range, records: gaps.reduce((sum, { records }) => sum + records, 0), gaps }
  })
}
