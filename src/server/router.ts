import { initTRPC, TRPCError } from '@trpc/server'
import { z } from 'zod'
import { compareProviders, getLatencies } from '../analytics/latencies.js'
import { getUsageBy, usageGroupQuerySchema } from '../analytics/usage-by.js'
import { getUsageByPeriod, usageSeriesQuerySchema } from '../analytics/usage-by-period.js'
import { findUsageCall, getUsageHistory, usageHistoryQuerySchema } from '../analytics/usage-history.js'
import { usageDimensionSchema, usagePeriodSchema, usageQuerySchema } from '../analytics/usage-query.js'
import type { UsageReader } from '../analytics/usage-reader.js'
import { getUsageTotals } from '../analytics/usage-totals.js'
import { TokenLedgerError } from '../errors.js'
import { explainReadError } from './explain-read-error.js'
import type { Viewer } from './viewer.js'

export type UsageContext = {
  /** Who asks; undefined for nobody. */
  readonly viewer: Viewer | undefined
  readonly reader: UsageReader
}

const t = initTRPC.context<UsageContext>().create({
  errorFormatter: ({ shape, error }) => {
    const isOurs = error.code === 'INTERNAL_SERVER_ERROR'
    const { code, httpStatus, path } = shape.data
    return {
      ...shape,
      message: isOurs ? explainReadError(error.cause) : shape.message,
      data: { code, httpStatus, path },
    }
  },
})

/** For everybody who is known. */
const viewed = t.procedure.use(async ({ ctx: { viewer }, next }) => {
  if (viewer === undefined) throw new TRPCError({ code: 'UNAUTHORIZED', message: 'sign in first' })
  const result = await next({ ctx: { viewer } })
  const cause = result.ok ? undefined : result.error.cause
  if (cause instanceof TokenLedgerError) throw new TRPCError({ code: 'BAD_REQUEST', message: cause.message })
  return result
})

/** For what is about all users together. */
const administered = viewed.use(({ ctx: { viewer }, next }) => {
  if (viewer.role !== 'admin') throw new TRPCError({ code: 'FORBIDDEN', message: 'only an admin may see this' })
  return next()
})

/**
 * What the page and other clients may read; there is nothing that changes anything. A user's reports are about that user
 * alone: whom a query is about comes from the viewer, and what it says itself about users counts for an admin only.
 */
export const usageRouter = t.router({
  viewer: viewed.query(({ ctx }) => ctx.viewer),
  totals: viewed.input(usageQuerySchema).query(({ ctx, input }) => getUsageTotals(ctx.reader, own(ctx.viewer, input))),
  breakdown: viewed
    .input(usageGroupQuerySchema.extend({ by: usageDimensionSchema }))
    .query(({ ctx, input: { by, ...query } }) => getUsageBy(ctx.reader, by, own(ctx.viewer, query))),
  series: viewed
    .input(usageSeriesQuerySchema.extend({ period: usagePeriodSchema }))
    .query(({ ctx, input: { period, ...query } }) => getUsageByPeriod(ctx.reader, period, own(ctx.viewer, query))),
  latencies: viewed
    .input(usageQuerySchema.extend({ by: usageDimensionSchema.optional() }))
    .query(({ ctx, input: { by, ...query } }) => getLatencies(ctx.reader, by, own(ctx.viewer, query))),
  providers: viewed
    .input(usageQuerySchema)
    .query(({ ctx, input }) => compareProviders(ctx.reader, own(ctx.viewer, input))),
  calls: viewed
    .input(usageHistoryQuerySchema)
    .query(({ ctx, input }) => getUsageHistory(ctx.reader, own(ctx.viewer, input))),
  callDetails: viewed.input(z.strictObject({ id: z.int().min(0) })).query(async ({ ctx, input }) => {
    const call = await findUsageCall(ctx.reader, input.id, own(ctx.viewer, {}))
    if (call === undefined) throw new TRPCError({ code: 'NOT_FOUND', message: `there is no call ${input.id}` })
    return call
  }),
})

export type UsageRouter = typeof usageRouter

function own<Query extends { readonly user?: string | undefined }>(viewer: Viewer, query: Query): Query {
  return viewer.role === 'admin' ? query : { ...query, user: viewer.user }
}
