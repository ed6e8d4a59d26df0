import { describe, expect, it } from 'vitest'
import { describeRecommendation } from '../../src/dashboard/describe-recommendation.js'

const use = { operation: 'answer', requestType: 'chat', provider: 'openai', modelName: 'gpt-4o', requests: 1200 }

describe('a recommendation', () => {
  it('of a cheaper model says what both cost', () => {
    const { advice, figures } = describeRecommendation({
      ...use,
      kind: 'cheaper-model',
      tokens: 3e6,
      costUsd: '12.5',
      usdPerMillionTokens: '4.17',
      otherProvider: 'gemini',
      otherModelName: 'gemini-2.5-flash',
      otherRequests: 150,
      otherUsdPerMillionTokens: '0.5',
      savingUsd: '11',
    })

    expect(advice).toContain('gemini-2.5-flash')
    expect(`${advice} ${figures}`.match(/\$[\d.]+|\b[\d,]+ calls/g)).toEqual([
      '$11.00',
      '$12.50',
      '1,200 calls',
      '$4.17',
      '$0.50',
      '150 calls',
    ])
  })

  it('of few cache hits says what another operation reaches', () => {
    const { figures } = describeRecommendation({
      ...use,
      kind: 'low-cache-hits',
      inputTokens: 2_400_000,
      cacheReadTokens: 24_000,
      cacheHitRate: 0.01,
      otherOperation: '',
      otherRequestType: 'chat',
      otherRequests: 300,
      otherCacheHitRate: 0.6,
      tokensToCache: 1_416_000,
    })

    expect(figures).toBe(
      '1.0% of 2.4M input tokens in 1,200 calls, against 60.0% in 300 calls of (none). At that rate 1.4M more tokens would come from the cache.',
    )
  })

  it('of longer outputs says how long they were', () => {
    const { figures } = describeRecommendation({
      ...use,
      kind: 'longer-outputs',
      outputPerCall: 900.4,
      previousRequests: 1100,
      previousOutputPerCall: 300,
      additionalTokens: 720_000,
      outputCostUsd: '7.2',
    })

    expect(figures).toBe(
      '900 output tokens a call (1,200 calls), 300 in the period before (1,100 calls): 720.0K tokens more. All its output cost $7.20.',
    )
  })

  it('of a spike says what is usual, and how many calls have no price', () => {
    const spike = {
      kind: 'spend-spike',
      day: '2026-03-08',
      costUsd: '30',
      unpriced: 0,
      daysCompared: 28,
      medianUsd: '2',
      provider: 'openai',
      modelName: 'gpt-4o',
      modelCostUsd: '25',
    } as const

    expect(describeRecommendation(spike)).toEqual({
      advice: '2026-03-08 cost $30.00, far more than the days before',
      figures: 'The median of 28 days before was $2.00. gpt-4o (openai) cost the most: $25.00.',
    })
    expect(describeRecommendation({ ...spike, unpriced: 3 }).figures).toContain('3 calls of that day have no price')
  })
})
