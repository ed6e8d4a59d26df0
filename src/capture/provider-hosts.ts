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
  'models.ai.azure.com': { provider: 'azure' },
  'api.anthropic.com': { provider: 'anthropic' },
  'generativelanguage.googleapis.com': { provider: 'gemini' },
  'ollama.com': { provider: 'ollama_cloud' },
  'api.x.ai': { provider: 'xai' },
  'api.mistral.ai': { provider: 'mistral', sendsUsageUnasked: true },
  'codestral.mistral.ai': { provider: 'mistral', sendsUsageUnasked: true },
  'api.groq.com': { provider: 'groq', sendsUsageUnasked: true },
  'api.together.xyz': { provider: 'together' },
  'api.together.ai': { provider: 'together' },
  'api.cerebras.ai': { provider: 'cerebras', sendsUsageUnasked: true },
  'api.deepseek.com': { provider: 'deepseek', sendsUsageUnasked: true },
  'api.perplexity.ai': { provider: 'perplexity', sendsUsageUnasked: true },
  'openrouter.ai': { provider: 'openrouter', sendsUsageUnasked: true },
  'api.cohere.com': { provider: 'cohere' },
  'api.cohere.ai': { provider: 'cohere' },
  'api.voyageai.com': { provider: 'voyage' },
  'api.writer.com': { provider: 'writer' },
  'router.huggingface.co': { provider: 'huggingface' },
  'api-inference.huggingface.co': { provider: 'huggingface' },
  'ai-gateway.vercel.sh': { provider: 'vercel' },
  'api.cloudflare.com': { provider: 'cloudflare' },
  'cloud.databricks.com': { provider: 'databricks', sendsUsageUnasked: true },
  'azuredatabricks.net': { provider: 'databricks', sendsUsageUnasked: true },
  'gcp.databricks.com': { provider: 'databricks', sendsUsageUnasked: true },
  'snowflakecomputing.com': { provider: 'snowflake' },
  'api.z.ai': { provider: 'zai' },
  'open.bigmodel.cn': { provider: 'zai' },
  'dashscope.aliyuncs.com': { provider: 'alibaba' },
  'dashscope-intl.aliyuncs.com': { provider: 'alibaba' },
  'dashscope-us.aliyuncs.com': { provider: 'alibaba' },
  'api.avian.io': { provider: 'avian' },
  'crusoe.ai': { provider: 'crusoe' },
}

/** Hosts whose first label holds a region or a service. */
const patterns: readonly (readonly [RegExp, ProviderHost])[] = [
  [/^bedrock-(runtime|mantle)(-fips)?\./, { provider: 'bedrock' }],
  [/(^|-)aiplatform(\.[\w-]+\.rep)?\.googleapis\.com$/, { provider: 'vertex' }],
]

/** Where servers of one's own listen if they are not told otherwise. */
const ports: Readonly<Record<string, ProviderHost>> = {
  '11434': { provider: 'ollama' },
  '1234': { provider: 'lmstudio' },
}

/** What is known of a host by its name or the domain it belongs to, else by its port; undefined for all others. */
export function findProviderHost(hostname: string, port = ''): ProviderHost | undefined {
  const name = hostname.toLowerCase()
  const labels = name.split('.')
  for (let start = 0; start < labels.length - 1; start++) {
    const domain = labels.slice(start).join('.')
    if (Object.hasOwn(hosts, domain)) return hosts[domain]
  }
  return patterns.find(([pattern]) => pattern.test(name))?.[1] ?? ports[port]
}
