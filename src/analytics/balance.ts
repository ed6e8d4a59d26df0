import { z } from 'zod'
import { totalUsage } from './sum-usage.js'
import { usageQuerySchema } from './usage-query.js'
import { parseInput, readQueryFile, readReport, type UsageReader } from './usage-reader.js'
import type { UsageRange } from './usage-sums.js'

/** What a user may use from `since` on: tokens, or US dollars as a number or a decimal text, or both. */
export const allowanceSchema = z
  .strictObject({
    allowanceTokens: z.number().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
    allowanceUsd: z.union([z.number().min(0).max(1e15), z.string().regex(/^\d{1,15}(\.\d{1,12})?$/)]).optional(),
    since: usageQuerySchema.shape.since,
  })
  .refine(
    ({ allowanceTokens, allowanceUsd }) => allowanceTokens !== undefined || allowanceUsd !== undefined,
    'allowanceTokens or allowanceUsd is needed',
  )
export type Allowance = Readonly<z.input<typeof allowanceSchema>>

export type Balance = {
  readonly user: string
  readonly range: UsageRange
  readonly requests: number
  /** Input and output of the calls whose counts are known. */
  readonly usedTokens: number
  /** Of the calls that have a price. */
  readonly usedUsd: string
  /** Negative where more was used. Null where the allowance is none of tokens. */
  readonly remainingTokens: number | null
  /** Negative where more was spent. Null where the allowance is none of US dollars. */
  readonly remainingUsd: string | null
  /** Calls that `usedUsd` does not contain. */
  readonly unpriced: number
  /** Calls that `usedTokens` does not contain. */
  readonly unknown: number
}

const selectBalance = readQueryFile('balance')

/** What a user has left of an allowance: the allowance, less what the user's calls from `since` on have used. */
export async function getBalance(reader: UsageReader, user: string, allowance: Allowance): Promise<Balance> {
  const { allowanceTokens = null, allowanceUsd = null, since } = parseInput(allowanceSchema, allowance)
  return readReport(reader, { user, since }, async ({ read, scope }) => {
    const { requests, inputTokens, outputTokens, costUsd, unpriced, unknown } = await totalUsage(read, scope)
    const usedTokens = (inputTokens ?? 0) + (outputTokens ?? 0)
    const usedUsd = costUsd ?? '0'
    const [remaining] = await read(selectBalance(), [allowanceTokens, allowanceUsd, usedTokens, usedUsd])
    const { remainingTokens, remainingUsd } = remaining as Pick<Balance, 'remainingTokens' | 'remainingUsd'>
    return { user, range: scope.range, requests, usedTokens, usedUsd, remainingTokens, remainingUsd, unpriced, unknown }
  })
}
