import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'
import { priceList } from '../../src/pricing/price-list.js'
import { Pricer } from '../../src/pricing/pricer.js'
import { findReportedCost } from '../../src/pricing/reported-cost.js'
import { formatPicoUsd } from '../../src/usage/pico-usd.js'
import type { TokenUsage } from '../../src/usage/token-usage.js'
import { hasRecordings, loadRecordings, type Recording, readBody } from '../extractors/recorded-answers.js'
import { pricedCall } from './priced-call.js'

/** Why the list's cost is not what the provider charged, for each recorded answer of which that is so. */
const reasons: Readonly<Record<string, string>> = {
  '2ef190bc': '0 ticks are no price, and 161 cached of 7 tokens have none',
  '99bd481e': 'the answer names no model',
  '8e422e97': 'the list has $0.075 for the cache of Gemini, and $0.03 was charged',
  '22879260': "grok-3 is no longer in the list's OpenRouter",
  '2eb030cc': 'charged at the price of the host that OpenRouter chose then',
  '6b7b3488': 'charged at the price of the host that OpenRouter chose then',
  '712fa4d3': "grok-3 is no longer in the list's OpenRouter",
  '995bf975': 'charged at the price of the host that OpenRouter chose then',
  f01a644d: 'charged at the price of the host that OpenRouter chose then',
  f0afdba3: 'charged at the price of the host that OpenRouter chose then',
  '891394db': 'the list has no embeddings of OpenRouter',
  '923dd5bb': 'the list has no embeddings of OpenRouter',
  b59279ed: 'the list has no embeddings of OpenRouter',
  fa784c72: 'the list has no embeddings of OpenRouter',
  fd570dd0: 'the list has no rerankers of OpenRouter',
  '0c22f1dd': 'the price was cut, and the list dates no prices of OpenRouter',
  cbd02a72: 'the price was cut, and the list dates no prices of OpenRouter',
  f75e653c: 'a fee for a call depends on how much was searched',
  e7392769: 'the list has no embeddings of Perplexity',
  '690eb30c': 'grok-3-mini-high is not in the list',
  '830c88ea': 'the list has no images of xAI',
  d3b07a19: 'the list has no images of xAI',
}
/** Of recordings that tell no time. */
const summer2026 = Date.UTC(2026, 6, 1)

it.skipIf(!hasRecordings)(
  'prices recorded answers by the list as their providers charged them, or it is known why not',
  () => {
    const pricer = new Pricer([priceList])
    const lines: string[] = []
    const tally = { right: 0, off: 0, unpriced: 0, 'no figure': 0 }
    const unexplained: string[] = []

    for (const recording of loadRecordings().filter(({ tags }) => tags.includes('provider-cost'))) {
      for (const usage of usagesOf(recording)) {
        const charged = findReportedCost(recording.provider, usage.raw ?? {})?.total
        const listed = pricer.price(callOf(recording, usage))?.total
        const outcome = compare(charged, listed)
        const reason = reasons[recording.id.slice(0, 8)]
        tally[outcome] += 1
        if ((outcome === 'right') !== (reason === undefined))
          unexplained.push(`${recording.file}: ${outcome}, ${reason}`)
        const byHowMuch = outcome === 'off' ? ` by x ${(Number(listed) / Number(charged)).toFixed(2)}` : ''
        const model = `${recording.provider} ${recording.model ?? recording.request_model}`
        const amounts = `charged ${format(charged)}, by the list ${format(listed)}`
        lines.push(`${outcome}${byHowMuch}: ${model}, ${amounts}${reason === undefined ? '' : `; ${reason}`}`)
      }
    }

    console.log([...lines.sort(), JSON.stringify(tally)].join('\n'))
    expect(unexplained).toEqual([])
    expect(tally).toEqual({ right: 17, off: 8, unpriced: 13, 'no figure': 1 })
  },
)

function compare(charged: bigint | undefined, listed: bigint | undefined) {
  if (charged === undefined) return 'no figure'
  if (listed === undefined) return 'unpriced'
  return charged === listed ? 'right' : 'off'
}

function format(pico: bigint | undefined): string {
  return pico === undefined ? 'nothing' : `$${formatPicoUsd(pico)}`
}

/** Of one call, or of each in the results of a batch. */
function usagesOf(recording: Recording): readonly TokenUsage[] {
  const text = readBody(recording).toString()
  if (recording.framing === 'json') {
    const answer = JSON.parse(text)
    return recording.endpoint === 'batches' ? answer.results.map(extractUsage) : [extractUsage(answer)]
  }
  const events = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data = '']) => JSON.parse(data))
  return [extractUsage(events)]
}

/** The call without what its provider says it cost. */
function callOf({ provider, model, request_model, endpoint, recorded_at }: Recording, usage: TokenUsage) {
  const { cost: _, cost_in_usd_ticks: _ticks, cost_details: _details, is_byok: _byok, ...raw } = usage.raw ?? {}
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens } = usage
  const isImage = endpoint === 'images'
  const isKnown = inputTokens !== null && outputTokens !== null
  return pricedCall({
    provider,
    modelName: (endpoint === 'batches' ? 'grok-4.3' : (model ?? request_model)) ?? 'unknown',
    timestamp: recorded_at ? Date.parse(recorded_at) : summer2026,
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    cacheReadTokens,
    cacheWriteTokens,
    reasoningTokens,
    usageSource: isImage ? 'fixed' : isKnown ? 'provider' : 'unknown',
    raw,
  })
}
