import { initTRPC, TRPCError } from '@trpc/server'
import { z } from 'zod'
import { allowanceSchema } from '../analytics/balance.js'
import { usageGroupQuerySchema } from '../analytics/usage-by.js'
import { usageSeriesQuerySchema } from '../analytics/usage-by-period.js'
import { usageHistoryQuerySchema } from '../analytics/usage-history.js'
import { usageDimensionSchema, usagePeriodSchema, usageQuerySchema } from '../analytics/usage-query.js'
import type { UsageReports } from '../create-usage-reports.js'
import { TokenLedgerError } from '../errors.js'
import { describeIssues } from './describe-issues.js'
import { explainReadError } from './explain-read-error.js'
import type { Viewer } from './viewer.js'

export type UsageContext = {
  /** Who asks; undefined for nobody. */
  readonly viewer: Viewer | undefined
  readonly reports: UsageReports
}

const t = initTRPC.context<UsageContext>().create({
  errorFormatter: ({ shape, error }) => {
    const isOurs = error.code === 'INTERNAL_SERVER_ERROR'
    const { code, httpStatus, path } = shape.data
    const refusal = error.cause instanceof z.ZodError ? describeIssues(error.cause) : shape.message
    return {
      ...shape,
      message: isOurs ? explainReadError(error.cause) : refusal,
      data: { code, httpStatus, path },
    }
  },
})

/** How many groups have a line of their own: all others are one line, so that no answer is of every user there is. */
const limit = z.int().min(1).max(1000).default(1000)

/** For everybody who is known. */
const viewed = t.procedure.use(async ({ ctx: { viewer }, next }) => {
  if (viewer === undefined) throw new TRPCError({ code: 'UNAUTHORIZED', message: 'sign in first' })
  const result = await next({ ctx: { viewer } })
  const cause = result.ok ? undefined : result.error.cause
  if (cause instanceof TokenLedgerError) {
    const code = cause.code === 'TOKENLEDGER_BUSY' ? 'TOO_MANY_REQUESTS' : 'BAD_REQUEST'
    throw new TRPCError({ code, message: cause.message })
  }
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
  totals: viewed.input(usageQuerySchema).query(({ ctx, input }) => ctx.reports.getUsageTotals(own(ctx.viewer, input))),
  breakdown: viewed
    .input(usageGroupQuerySchema.extend({ by: usageDimensionSchema, limit }))
    .query(({ ctx, input: { by, ...query } }) => ctx.reports.getUsageBy(by, own(ctx.viewer, query))),
  series: viewed
    .input(usageSeriesQuerySchema.extend({ period: usagePeriodSchema, limit }))
    .query(({ ctx, input: { period, ...query } }) => ctx.reports.getUsageByPeriod(period, own(ctx.viewer, query))),
  latencies: viewed
    .input(usageQuerySchema.extend({ by: usageDimensionSchema.optional() }))
    .query(({ ctx, input: { by, ...query } }) => ctx.reports.getLatencies(by, own(ctx.viewer, query))),
  providers: viewed
    .input(usageQuerySchema)
    .query(({ ctx, input }) => ctx.reports.compareProviders(own(ctx.viewer, input))),
  calls: viewed
    .input(usageHistoryQuerySchema)
    .query(({ ctx, input }) => ctx.reports.getUsageHistory(own(ctx.viewer, input))),
  callDetails: viewed.input(z.strictObject({ id: z.int().min(0) })).query(async ({ ctx, input }) => {
    const call = await ctx.reports.findUsageCall(input.id, own(ctx.viewer, {}))
    if (call === undefined) throw new TRPCError({ code: 'NOT_FOUND', message: `there is no call ${input.id}` })
    return call
  }),
  recommendations: viewed
    .input(usageQuerySchema.omit({ status: true }))
    .query(({ ctx, input }) => ctx.reports.getRecommendations(own(ctx.viewer, input))),
  monthProjection: viewed
    .input(usageQuerySchema.omit({ since: true, until: true, status: true }))
    .query(({ ctx, input }) => ctx.reports.projectMonth(own(ctx.viewer, input))),
  userStats: viewed.input(usageQuerySchema).query(({ ctx, input }) => {
    const { user, ...query } = own(ctx.viewer, input)
    return ctx.reports.getUserStats(required(user), query)
  }),
  balance: viewed
    .input(z.strictObject({ user: usageQuerySchema.shape.user, allowance: allowanceSchema }))
    .query(({ ctx, input }) => ctx.reports.getBalance(required(own(ctx.viewer, input).user), input.allowance)),
  gaps: administered
    .input(usageQuerySchema.pick({ since: true, until: true }))
    .query(({ ctx, input }) => ctx.reports.getUsageGaps(input)),
})

export type UsageRouter = typeof usageRouter

function own<Query extends { readonly user?: string | undefined }>(viewer: Viewer, query: Query): Query {
  return viewer.role === 'admin' ? query : { ...query, user: viewer.user }
}

function required(user: string | undefined): string {
  if (user === undefined) throw new TRPCError({ code: 'BAD_REQUEST', message: 'user: whom it is about is needed' })
  return user
}
