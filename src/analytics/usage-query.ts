import { z } from 'zod'

/** A name in a filter; an empty one means the calls that name none. */
const name = z
  .string()
  .max(320)
  .refine((text) => !text.includes('\0'), 'no name contains a NUL character')

/**
 * A bound of a time range: a day of the reporting zone (`2026-03-01`), an instant with its offset
 * (`2026-03-01T12:00:00Z`), or a duration back from now in hours, days or weeks (`12h`, `7d`, `2w`).
 */
const timeBound = z.union(
  [
    z.iso.date().refine((text) => text >= '1970', 'a day before 1970'),
    z.iso.datetime({ offset: true }).refine((text) => text >= '1970', 'an instant before 1970'),
    z.string().regex(/^[1-9]\d{0,3}[hdw]$/),
  ],
  { error: 'it has to be a day (2026-03-01), an instant (2026-03-01T12:00:00Z) or a duration (12h, 7d, 2w)' },
)

/** Which calls a report is about. Everything is optional; without `since` and `until` it is all calls there are. */
export const usageQuerySchema = z.strictObject({
  /** The first moment. A day counts from its start; `7d` is today and the six days before it. */
  since: timeBound.optional(),
  /** The end. A day counts to its end; an instant is the first moment that is not in the range any more. */
  until: timeBound.optional(),
  user: name.optional(),
  model: name.optional(),
  provider: name.optional(),
  operation: name.optional(),
  project: name.optional(),
  requestType: name.optional(),
  /** How the calls ended. It is looked up in the rows, which takes longer than the daily sums do. */
  status: z.enum(['ok', 'error', 'aborted']).optional(),
})
export type UsageQuery = Readonly<z.input<typeof usageQuerySchema>>

/** Length of the periods of a series. Weeks start on Monday, as ISO weeks do. Hours are counted from the rows. */
export const usagePeriodSchema = z.enum(['hour', 'day', 'week', 'month'])
export type UsagePeriod = z.infer<typeof usagePeriodSchema>

/** What calls may be told apart by. */
export const usageDimensionSchema = z.enum(['user', 'model', 'provider', 'operation', 'project', 'requestType'])
export type UsageDimension = z.infer<typeof usageDimensionSchema>

/** What decides which groups come first. */
export const usageOrderSchema = z.enum(['cost', 'requests', 'tokens'])
export type UsageOrder = z.infer<typeof usageOrderSchema>
