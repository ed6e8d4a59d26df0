import { TokenLedgerError } from '../errors.js'
import { type UsageQuery, usageQuerySchema } from './usage-query.js'
import { parseInput, readQueryFile, readReport, type UsageReader, type UsageReport } from './usage-reader.js'
import type { UsageRange } from './usage-sums.js'

/** What an operation does with one model. */
type ModelUse = {
  readonly operation: string
  readonly requestType: string
  readonly provider: string
  readonly modelName: string
  /** Calls that the figures are of. */
  readonly requests: number
}

/** Another model does the same operation for less: the saving is what these tokens would have cost at its average. */
export type CheaperModel = ModelUse & {
  readonly kind: 'cheaper-model'
  readonly tokens: number
  readonly costUsd: string
  readonly usdPerMillionTokens: string
  readonly otherProvider: string
  readonly otherModelName: string
  readonly otherRequests: number
  readonly otherUsdPerMillionTokens: string
  readonly savingUsd: string
}

/** Another operation has the same model read far more of its input from the cache. */
export type LowCacheHits = ModelUse & {
  readonly kind: 'low-cache-hits'
  readonly inputTokens: number
  readonly cacheReadTokens: number
  /** 0 to 1. */
  readonly cacheHitRate: number
  readonly otherOperation: string
  readonly otherRequestType: string
  readonly otherRequests: number
  readonly otherCacheHitRate: number
  /** Input tokens that would come from the cache at the other's rate, and do not. */
  readonly tokensToCache: number
}

/** The outputs have become much longer than in the period of the same length before. */
export type LongerOutputs = ModelUse & {
  readonly kind: 'longer-outputs'
  /** Mean output tokens of a call whose counts are known. */
  readonly outputPerCall: number
  readonly previousRequests: number
  readonly previousOutputPerCall: number
  /** Output tokens above what the same calls would have produced before. */
  readonly additionalTokens: number
  /** Cost of all the output, as far as it is told apart. */
  readonly outputCostUsd: string
}

/** A day cost a multiple of the median of the four weeks before it. */
export type SpendSpike = {
  readonly kind: 'spend-spike'
  readonly day: string
  readonly costUsd: string
  /** Calls of that day without a price. */
  readonly unpriced: number
  /** Days with a cost among the 28 before. */
  readonly daysCompared: number
  readonly medianUsd: string
  /** The model that cost the most on that day. */
  readonly provider: string
  readonly modelName: string
  readonly modelCostUsd: string
}

export type Recommendation = CheaperModel | LowCacheHits | LongerOutputs | SpendSpike

export type Recommendations = {
  readonly range: UsageRange
  /** By kind, in this order: cheaper models, low cache hits, longer outputs, spend spikes; each by its weight. */
  readonly recommendations: readonly Recommendation[]
  /** What has to be there for a recommendation. */
  readonly thresholds: typeof recommendationThresholds
}

/** Below these there is too little data, or too little in it, for a recommendation. */
export const recommendationThresholds = {
  /** Of each kind, at most. */
  perKind: 5,
  cheaperModel: { minRequests: 100, minSavingUsd: 1, minSavingShare: 0.2 },
  lowCacheHits: { minRequests: 100, minInputPerCall: 1024, lowHitRate: 0.2, highHitRate: 0.5 },
  longerOutputs: { minRequests: 100, minRatio: 2 },
  spendSpike: { minDays: 14, minRatio: 3, minAboveMedianUsd: 1 },
} as const

const querySchema = usageQuerySchema.omit({ status: true })
const kinds = [
  { kind: 'cheaper-model', sql: readQueryFile('cheaper-models'), valuesOf: cheaperModelValues },
  { kind: 'low-cache-hits', sql: readQueryFile('low-cache-hits'), valuesOf: lowCacheHitsValues },
  { kind: 'longer-outputs', sql: readQueryFile('longer-outputs'), valuesOf: longerOutputsValues },
  { kind: 'spend-spike', sql: readQueryFile('spend-spikes'), valuesOf: spendSpikeValues },
] as const

/**
 * What the data of whole days suggest, of the last 30 days by default, each with the figures it was computed from. Nothing
 * is suggested below the thresholds.
 */
export async function getRecommendations(
  reader: UsageReader,
  query: Omit<UsageQuery, 'status'> = {},
): Promise<Recommendations> {
  const { since = '30d', ...rest } = parseInput(querySchema, query)
  return readReport(reader, { since, ...rest }, async (report) => {
    const { range, dayValues } = report.scope
    if (range.firstDay === null) {
      throw new TokenLedgerError(
        'TOKENLEDGER_USAGE_QUERY',
        'Recommendations are made of whole days: since and until have to be days, or durations in days or weeks.',
      )
    }
    const recommendations: Recommendation[] = []
    for (const { kind, sql, valuesOf } of kinds) {
      const rows = await report.read(sql(), [...dayValues, ...valuesOf(report), recommendationThresholds.perKind])
      recommendations.push(...rows.map((row) => ({ kind, ...row }) as Recommendation))
    }
    return { range, recommendations, thresholds: recommendationThresholds }
  })
}

function cheaperModelValues(): readonly unknown[] {
  const { minRequests, minSavingUsd, minSavingShare } = recommendationThresholds.cheaperModel
  return [minRequests, minSavingUsd, minSavingShare]
}

function lowCacheHitsValues(): readonly unknown[] {
  const { minRequests, minInputPerCall, lowHitRate, highHitRate } = recommendationThresholds.lowCacheHits
  return [minRequests, minInputPerCall, lowHitRate, highHitRate]
}

function longerOutputsValues({ previous }: UsageReport): readonly unknown[] {
  const [firstDay, lastDay] = previous?.dayValues ?? []
  const { minRequests, minRatio } = recommendationThresholds.longerOutputs
  return [firstDay, lastDay, minRequests, minRatio]
}

function spendSpikeValues(): readonly unknown[] {
  const { minDays, minRatio, minAboveMedianUsd } = recommendationThresholds.spendSpike
  return [minDays, minRatio, minAboveMedianUsd]
}
