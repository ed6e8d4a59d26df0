import { highestPicoUsd, toPicoUsd } from '../usage/pico-usd.js'
import type { CallCost } from './call-cost.js'
import { amountIn, objectIn, type RawUsage } from './raw-numbers.js'

const picoUsdPerTick = 100
/** Those whose `cost` is a number of US dollars. OpenRouter's is also known by its `is_byok`, whoever passes it on. */
const tellUsd: ReadonlySet<string | null> = new Set(['openrouter', 'vercel', 'avian'])

/**
 * What the provider itself says a call cost, or null: xAI's ticks, of which 0 is no price (Azure sends it for Grok),
 * Perplexity's `cost` with its parts, and the US dollars of OpenRouter and its like.
 */
export function findReportedCost(provider: string | null, raw: RawUsage): CallCost | null {
  const ticks = amountIn(raw, 'cost_in_usd_ticks')
  if (ticks > 0) return costOf(BigInt(Math.round(ticks)) * BigInt(picoUsdPerTick), null, null)
  if (typeof raw.cost === 'object') return costByParts(objectIn(raw, 'cost'))
  const isInUsd = tellUsd.has(provider) || typeof raw.is_byok === 'boolean'
  return isInUsd && raw.cost !== undefined ? costOfRouter(raw) : null
}

function costByParts(cost: RawUsage): CallCost | null {
  const total = usd(cost.total_cost)
  if (total === null || (cost.currency ?? 'USD') !== 'USD') return null
  return costOf(total, usd(cost.input_tokens_cost ?? cost.input_cost), usd(cost.output_tokens_cost ?? cost.output_cost))
}

// With a key of one's own OpenRouter charges its fee only, and the provider behind it the rest.
function costOfRouter(raw: RawUsage): CallCost | null {
  const details = objectIn(raw, 'cost_details')
  const charged = usd(raw.cost)
  const upstream = raw.is_byok === true ? usd(details.upstream_inference_cost) : 0n
  if (charged === null || upstream === null) return null
  const input = usd(details.upstream_inference_prompt_cost ?? details.upstream_inference_input_cost)
  const output = usd(details.upstream_inference_completions_cost ?? details.upstream_inference_output_cost)
  return costOf(charged + upstream, input, output)
}

function usd(value: unknown): bigint | null {
  return typeof value === 'number' ? toPicoUsd(value) : null
}

// Parts that are more than the whole are none of it.
function costOf(total: bigint, input: bigint | null, output: bigint | null): CallCost | null {
  if (total > highestPicoUsd) return null
  const other = total - (input ?? 0n) - (output ?? 0n)
  const areKnown = input !== null && output !== null && other >= 0n
  const parts = areKnown ? { input, output, other } : { input: null, output: null, other: null }
  return { total, ...parts, source: 'provider' }
}
