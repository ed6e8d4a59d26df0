import type { PricedCall } from './call-cost.js'
import { countIn, objectsIn, type RawUsage } from './raw-numbers.js'

/** A call, or one of those that it made by itself, with the provider's numbers of it. */
export type ChargedPart = {
  readonly call: PricedCall
  readonly raw: RawUsage
  /** How many requests the fee of a call is charged for: it is one for all of its parts. */
  readonly requests: 0 | 1
}

/**
 * The parts that a call is charged in. Where an Anthropic call had another model work or shortened its conversation, the
 * iterations are all that is charged, each at the price of its own model; every other call is one part.
 */
export function chargedParts(call: PricedCall, raw: RawUsage): readonly ChargedPart[] {
  if (raw.iterations === undefined) return [{ call, raw, requests: 1 }]
  const iterations = objectsIn(raw, 'iterations')
  if (iterations.every(({ type }) => type === 'message')) return [{ call, raw, requests: 1 }]
  const calls = iterations.map((iteration) => callOf(call, iteration))
  // The request and its searches are those of the call as a whole, at the prices of its own model.
  const whole = Math.max(
    0,
    calls.findIndex(({ modelName }) => modelName === call.modelName),
  )
  return iterations.map((iteration, index) => ({
    call: calls[index] ?? call,
    raw: index === whole ? { ...iteration, server_tool_use: raw.server_tool_use } : iteration,
    requests: index === whole ? 1 : 0,
  }))
}

function callOf(call: PricedCall, iteration: RawUsage): PricedCall {
  const { model } = iteration
  const cacheReadTokens = countIn(iteration, 'cache_read_input_tokens')
  const cacheWriteTokens = countIn(iteration, 'cache_creation_input_tokens')
  return {
    ...call,
    modelName: typeof model === 'string' ? model : call.modelName,
    inputTokens: countIn(iteration, 'input_tokens') + cacheReadTokens + cacheWriteTokens,
    outputTokens: countIn(iteration, 'output_tokens'),
    cacheReadTokens,
    cacheWriteTokens,
    reasoningTokens: null,
  }
}
