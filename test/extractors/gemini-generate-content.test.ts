import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'
import { geminiGenerateContent } from '../../src/extractors/gemini-generate-content.js'
import { unknownUsage } from '../../src/usage/token-usage.js'

const answer = (usageMetadata: object) => extractUsage({ candidates: [], usageMetadata })

it('takes the counts of the last chunk, also where they are smaller', () => {
  const chunk = (promptTokenCount: number, candidatesTokenCount: number) => ({
    candidates: [],
    usageMetadata: { promptTokenCount, candidatesTokenCount, totalTokenCount: promptTokenCount + candidatesTokenCount },
  })

  expect(extractUsage([chunk(90, 30), chunk(60, 12)])).toMatchObject({ inputTokens: 60, outputTokens: 12 })
})

it('keeps the counts it knows when a chunk tells nothing but the kind of traffic', () => {
  const known = { candidates: [], usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 1, totalTokenCount: 6 } }
  const traffic = { candidates: [], usageMetadata: { trafficType: 'ON_DEMAND' } }

  expect(extractUsage([traffic])).toEqual(unknownUsage)
  expect(extractUsage([known, traffic])).toMatchObject({ inputTokens: 5, outputTokens: 1 })
})

it('knows that nothing was generated where the total says so, and only there', () => {
  expect(answer({ promptTokenCount: 8, totalTokenCount: 8 })).toMatchObject({ inputTokens: 8, outputTokens: 0 })
  expect(answer({ promptTokenCount: 8 })).toMatchObject({ inputTokens: 8, outputTokens: null })
  expect(answer({ promptTokenCount: 8, totalTokenCount: 20 })).toMatchObject({ inputTokens: 8, outputTokens: null })
  expect(answer({ promptTokenCount: 8, thoughtsTokenCount: 5, totalTokenCount: 13 })).toMatchObject({ outputTokens: 5 })
})

it('keeps the tier and the kinds of tokens', () => {
  const usage = {
    promptTokenCount: 8,
    totalTokenCount: 8,
    trafficType: 'ON_DEMAND_FLEX',
    promptTokensDetails: [{ modality: 'VIDEO', tokenCount: 8 }],
  }

  expect(answer(usage).raw).toEqual(usage)
})

it('takes a prompt that is refused for a finished answer', () => {
  const refused = {
    promptFeedback: { blockReason: 'SAFETY' },
    usageMetadata: { promptTokenCount: 8, totalTokenCount: 8 },
  }

  expect(geminiGenerateContent.reduce(geminiGenerateContent.initial, refused)).toMatchObject({
    progress: 'finished',
    usage: { inputTokens: 8, outputTokens: 0 },
  })
})
