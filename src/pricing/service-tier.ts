import type { RawUsage } from './raw-numbers.js'

/** What providers call the tier that the list's prices are for; `auto` is what OpenAI says before it has chosen. */
const standardNames: ReadonlySet<string> = new Set([
  'standard',
  'default',
  'auto',
  'on_demand',
  'traffic_type_unspecified',
])

/** The service tier a call was answered in, in lower case, by the provider's own numbers; null for the standard one. */
export function findServiceTier(raw: RawUsage): string | null {
  if (raw.batch === true) return 'batch'
  if (raw.speed === 'fast') return 'fast'
  const said = raw.service_tier ?? raw.serviceTier ?? raw.trafficType
  // Bedrock says { type: 'flex' }.
  const told = typeof said === 'object' && said !== null ? (said as { type?: unknown }).type : said
  // Vertex AI says ON_DEMAND_FLEX and ON_DEMAND_PRIORITY.
  const tier = typeof told === 'string' ? told.toLowerCase().replace(/^on_demand_/, '') : ''
  return tier === '' || standardNames.has(tier) ? null : tier
}

/** Where a call was answered, if that changes its price; null elsewhere. */
export function findRegion(raw: RawUsage): string | null {
  return raw.inference_geo === 'us' ? 'us' : null
}
