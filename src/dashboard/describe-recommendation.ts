import type { Answers } from './api.js'
import { formatCount, formatGroup, formatShare, formatShortCount, formatUsd } from './format.js'

type Recommendation = Answers['recommendations']['recommendations'][number]
type Of<Kind extends Recommendation['kind']> = Extract<Recommendation, { readonly kind: Kind }>

/** What a recommendation says, and the figures that it was computed from. */
export type RecommendationText = { readonly advice: string; readonly figures: string }

/** A recommendation in words. */
export function describeRecommendation(recommendation: Recommendation): RecommendationText {
  switch (recommendation.kind) {
    case 'cheaper-model':
      return describeCheaperModel(recommendation)
    case 'low-cache-hits':
      return describeLowCacheHits(recommendation)
    case 'longer-outputs':
      return describeLongerOutputs(recommendation)
    case 'spend-spike':
      return describeSpendSpike(recommendation)
  }
}

function describeCheaperModel(use: Of<'cheaper-model'>): RecommendationText {
  return {
    advice: `${formatGroup(use.operation)}: ${use.otherModelName} is used for it as well, at ${formatUsd(use.savingUsd)} less than ${use.modelName}`,
    figures:
      `${use.modelName} cost ${formatUsd(use.costUsd)} for ${formatCount(use.requests)} calls, ` +
      `${formatUsd(use.usdPerMillionTokens)} per million tokens. ` +
      `${use.otherModelName} (${use.otherProvider}) costs ${formatUsd(use.otherUsdPerMillionTokens)} per million, ` +
      `by ${formatCount(use.otherRequests)} calls of the same operation.`,
  }
}

function describeLowCacheHits(use: Of<'low-cache-hits'>): RecommendationText {
  return {
    advice: `${formatGroup(use.operation)}: ${use.modelName} reads little from its cache`,
    figures:
      `${formatShare(use.cacheHitRate)} of ${formatShortCount(use.inputTokens)} input tokens in ${formatCount(use.requests)} calls, ` +
      `against ${formatShare(use.otherCacheHitRate)} in ${formatCount(use.otherRequests)} calls of ${formatGroup(use.otherOperation)}. ` +
      `At that rate ${formatShortCount(use.tokensToCache)} more tokens would come from the cache.`,
  }
}

function describeLongerOutputs(use: Of<'longer-outputs'>): RecommendationText {
  return {
    advice: `${formatGroup(use.operation)}: the outputs of ${use.modelName} have become longer`,
    figures:
      `${formatCount(Math.round(use.outputPerCall))} output tokens a call (${formatCount(use.requests)} calls), ` +
      `${formatCount(Math.round(use.previousOutputPerCall))} in the period before (${formatCount(use.previousRequests)} calls): ` +
      `${formatShortCount(use.additionalTokens)} tokens more. All its output cost ${formatUsd(use.outputCostUsd)}.`,
  }
}

function describeSpendSpike(spike: Of<'spend-spike'>): RecommendationText {
  const unpriced = spike.unpriced > 0 ? ` ${formatCount(spike.unpriced)} calls of that day have no price.` : ''
  return {
    advice: `${spike.day} cost ${formatUsd(spike.costUsd)}, far more than the days before`,
    figures:
      `The median of ${spike.daysCompared} days before was ${formatUsd(spike.medianUsd)}. ` +
      `${spike.modelName} (${spike.provider}) cost the most: ${formatUsd(spike.modelCostUsd)}.${unpriced}`,
  }
}
