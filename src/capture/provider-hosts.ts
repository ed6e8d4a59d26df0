type ProviderHost = {
  readonly provider: string
  /** Tells the usage of every stream without being asked, or refuses to be asked. */
  readonly sendsUsageUnasked?: true
}

const hosts: Readonly<Record<string, ProviderHost>> = {
  'api.openai.com': { provider: 'openai' },
  'openai.azure.com': { provider: 'azure' },
  'cognitiveservices.azure.com': { provider: 'azure' },
  'services.ai.azure.com': { provider: 'azure' },
  'api.anthropic.com': { provider: 'anthropic' },
  'ollama.com': { provider: 'ollama' },
  'api.x.ai': { provider: 'xai' },
  'api.mistral.ai': { provider: 'mistral', sendsUsageUnasked: true },
  'api.groq.com': { provider: 'groq', sendsUsageUnasked: true },
  'api.deepseek.com': { provider: 'deepseek', sendsUsageUnasked: true },
  'api.perplexity.ai': { provider: 'perplexity', sendsUsageUnasked: true },
  'openrouter.ai': { provider: 'openrouter', sendsUsageUnasked: true },
}

/** What is known of a host by its name or the domain it belongs to; undefined for all others. */
export function findProviderHost(hostname: string): ProviderHost | undefined {
  const labels = hostname.toLowerCase().split('.')
  for (let start = 0; start < labels.length - 1; start++) {
    const domain = labels.slice(start).join('.')
    if (Object.hasOwn(hosts, domain)) return hosts[domain]
  }
  return undefined
}
