import type { CostSource } from '../usage/usage-record.js'
import type { BillableUsage } from './billable-usage.js'
import type { CallCost } from './call-cost.js'
import type { ContextTier, Price, TokenKind, TokenRates } from './price.js'

/** What is charged at another kind's rate where it has none of its own. */
const fallbacks: Readonly<Partial<Record<TokenKind, TokenKind>>> = {
  cacheRead: 'input',
  cacheWrite5m: 'input',
  cacheWrite1h: 'cacheWrite5m',
  inputAudio: 'input',
  inputImage: 'input',
  inputVideo: 'input',
  cacheReadAudio: 'cacheRead',
  cacheReadImage: 'cacheRead',
  reasoning: 'output',
  outputAudio: 'output',
  outputImage: 'output',
  outputVideo: 'output',
}
const inputKinds: readonly TokenKind[] = [
  'input',
  'cacheRead',
  'cacheWrite5m',
  'cacheWrite1h',
  'inputAudio',
  'inputImage',
  'inputVideo',
  'cacheReadAudio',
  'cacheReadImage',
]
const outputKinds: readonly TokenKind[] = ['output', 'reasoning', 'outputAudio', 'outputImage', 'outputVideo']
const perMillion = 1_000_000n
const microsecondsPerHour = 3_600_000_000n
/** What a column of a batch and one of the table can hold. */
const largestPicoUsd = 9_000_000_000_000_000_000n

/** The three parts of what a usage costs at a price; null where the price does not say what something in it costs. */
export function charge(usage: BillableUsage, price: Price, source: CostSource): CallCost | null {
  const rates = ratesFor(price, usage.inputTokens)
  const audio = chargeAudio(usage, price)
  const isByHour = audio !== null && usage.audioSeconds > 0
  const input = chargeTokens(isByHour ? withoutAudio(usage.tokens) : usage.tokens, inputKinds, { rates, price })
  const output = chargeTokens(usage.tokens, outputKinds, { rates, price })
  const other = chargeFees(usage, price)
  if (input === null || output === null || other === null) return null
  // Seconds alone are charged by the hour or not at all.
  if (usage.audioSeconds > 0 && audio === null && input === 0n && output === 0n) return null
  const inputAndAudio = input + (audio ?? 0n)
  const total = inputAndAudio + output + other
  return total > largestPicoUsd ? null : { total, input: inputAndAudio, output, other, source }
}

function ratesFor({ rates, contextTiers }: Price, inputTokens: number): TokenRates {
  let found: TokenRates = rates
  for (const tier of contextTiers as readonly ContextTier[]) if (inputTokens > tier.aboveInputTokens) found = tier.rates
  return found
}

type Rating = { readonly rates: TokenRates; readonly price: Price }

function chargeTokens(
  tokens: BillableUsage['tokens'],
  kinds: readonly TokenKind[],
  { rates, price }: Rating,
): bigint | null {
  let sum = 0n
  for (const kind of kinds) {
    const count = tokens[kind]
    if (count === 0) continue
    const rate = price.unpriced?.includes(kind) ? null : rateOf(rates, kind)
    if (rate === null) return null
    sum += BigInt(count) * rate
  }
  return (sum + perMillion / 2n) / perMillion
}

function rateOf(rates: TokenRates, kind: TokenKind): bigint | null {
  for (let named: TokenKind | undefined = kind; named !== undefined; named = fallbacks[named]) {
    const rate = rates[named]
    if (rate !== null && rate !== undefined) return rate
  }
  return null
}

function chargeAudio({ audioSeconds }: BillableUsage, { fees: { audioHour } }: Price): bigint | null {
  if (audioHour === null || audioSeconds === 0) return null
  return (BigInt(Math.round(audioSeconds * 1e6)) * audioHour + microsecondsPerHour / 2n) / microsecondsPerHour
}

function withoutAudio(tokens: BillableUsage['tokens']): BillableUsage['tokens'] {
  return { ...tokens, inputAudio: 0, cacheReadAudio: 0 }
}

function chargeFees({ images, webSearches, requests }: BillableUsage, { fees }: Price): bigint | null {
  if ((images > 0 && fees.image === null) || (webSearches > 0 && fees.webSearch === null)) return null
  const ofImages = BigInt(images) * (fees.image ?? 0n)
  return BigInt(requests) * fees.request + ofImages + BigInt(webSearches) * (fees.webSearch ?? 0n)
}
