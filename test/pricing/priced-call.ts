import type { PricedCall } from '../../src/pricing/call-cost.js'

export type RawUsage = Readonly<Record<string, unknown>>

/** A call of October 2026 whose counts its provider told, with what a test is about. */
export function pricedCall({
  raw,
  ...fields
}: Partial<Omit<PricedCall, 'rawUsage'>> & { readonly raw?: RawUsage }): PricedCall {
  return {
    timestamp: Date.UTC(2026, 9, 1, 12),
    provider: 'openai',
    modelName: 'gpt-4o-mini',
    requestType: 'chat',
    inputTokens: 0,
    outputTokens: 0,
    cacheReadTokens: null,
    cacheWriteTokens: null,
    reasoningTokens: null,
    usageSource: 'provider',
    status: 'ok',
    ...fields,
    rawUsage: raw === undefined ? null : JSON.stringify(raw),
  }
}
