import type { Sample } from './samples.js'

const chatPath = '/v1/chat/completions'
const request = { model: 'a-model', messages: [{ role: 'user', content: 'Wie viele?' }] }
const tool = { index: 0, id: 'call_1', function: { name: 'count', arguments: '{"of":"bees"}' } }

type Chunk = Readonly<Record<string, unknown>>
type Endpoint = Pick<Sample, 'provider' | 'url' | 'counts'> & { readonly chunks: readonly Chunk[] }

const said = { model: 'the-model', choices: [{ index: 0, delta: { content: 'Seven.' }, finish_reason: null }] }
const finish = { model: 'the-model', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }
const noChoices = { model: 'the-model', choices: [] }

/** A stream that says `Seven.` and ends with these chunks. */
function chat({ provider, url, counts, chunks }: Endpoint): Sample {
  const messages = [said, ...chunks, '[DONE]']
  return { provider, requestType: 'chat', url, request, messages, counts, text: 'Seven.', model: 'the-model' }
}

/** Each place where a server of chat completions puts the counts of a stream, or a part of them. */
export const chatSamples: readonly Sample[] = [
  chat({
    provider: 'openai',
    url: `https://api.openai.com${chatPath}`,
    chunks: [
      { ...finish, usage: null },
      {
        ...noChoices,
        usage: {
          prompt_tokens: 90,
          completion_tokens: 33,
          total_tokens: 123,
          prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 20 },
          completion_tokens_details: { reasoning_tokens: 12 },
        },
      },
    ],
    counts: [90, 33, 40, 20, 12],
  }),
  {
    provider: 'openai',
    requestType: 'chat',
    url: `https://api.openai.com${chatPath}`,
    request,
    messages: [
      {
        id: 'chatcmpl-1',
        model: 'the-model',
        choices: [{ message: { reasoning: 'Hm. ', content: null, tool_calls: [tool] }, finish_reason: 'tool_calls' }],
        usage: { prompt_tokens: 11, completion_tokens: 8, total_tokens: 19 },
      },
    ],
    counts: [11, 8, null, null, null],
    text: 'Hm. count{"of":"bees"}',
    model: 'the-model',
  },
  chat({
    provider: 'azure',
    url: 'https://mine.openai.azure.com/openai/deployments/d/chat/completions',
    chunks: [
      { ...noChoices, prompt_filter_results: [{ prompt_index: 0 }] },
      finish,
      {
        ...noChoices,
        usage: { prompt_tokens: 12, completion_tokens: 4, total_tokens: 16, latency_checkpoint: { e: 3 } },
      },
    ],
    counts: [12, 4, null, null, null],
  }),
  chat({
    provider: 'gemini',
    url: 'https://generativelanguage.googleapis.com/v1beta/openai/chat/completions',
    chunks: [{ ...finish, usage: { prompt_tokens: 50, completion_tokens: 5, total_tokens: 85 } }],
    counts: [50, 35, null, null, null],
  }),
  chat({
    provider: 'xai',
    url: `https://api.x.ai${chatPath}`,
    chunks: [
      finish,
      {
        ...noChoices,
        usage: {
          prompt_tokens: 20,
          completion_tokens: 6,
          total_tokens: 126,
          completion_tokens_details: { reasoning_tokens: 100 },
          num_sources_used: 2,
          cost_in_usd_ticks: 77_000,
        },
      },
    ],
    counts: [20, 106, null, null, 100],
  }),
  chat({
    provider: 'groq',
    url: `https://api.groq.com/openai${chatPath}`,
    chunks: [
      { ...finish, x_groq: { usage: { prompt_tokens: 7, completion_tokens: 9, total_tokens: 16, queue_time: 0.1 } } },
    ],
    counts: [7, 9, null, null, null],
  }),
  chat({
    provider: 'together',
    url: `https://api.together.xyz${chatPath}`,
    chunks: [{ ...finish, usage: { prompt_tokens: 8, completion_tokens: 3, total_tokens: 11, cached_tokens: 4 } }],
    counts: [8, 3, 4, null, null],
  }),
  chat({
    provider: 'cerebras',
    url: `https://api.cerebras.ai${chatPath}`,
    chunks: [
      {
        ...finish,
        usage: {
          prompt_tokens: 15,
          completion_tokens: 2,
          total_tokens: 17,
          prompt_tokens_details: { cached_tokens: 0 },
        },
        time_info: { total_time: 0.2 },
      },
    ],
    counts: [15, 2, 0, null, null],
  }),
  chat({
    provider: 'deepseek',
    url: 'https://api.deepseek.com/chat/completions',
    chunks: [
      {
        ...finish,
        usage: {
          prompt_tokens: 70,
          completion_tokens: 5,
          total_tokens: 75,
          prompt_cache_hit_tokens: 64,
          prompt_cache_miss_tokens: 6,
        },
      },
    ],
    counts: [70, 5, 64, null, null],
  }),
  chat({
    provider: 'mistral',
    url: `https://api.mistral.ai${chatPath}`,
    chunks: [
      {
        ...finish,
        usage: {
          prompt_tokens: 6,
          completion_tokens: 10,
          total_tokens: 216,
          num_cached_tokens: 2,
          prompt_audio_seconds: 5,
          prompt_tokens_details: { audio_tokens: 200 },
        },
      },
    ],
    counts: [206, 10, 2, null, null],
  }),
  chat({
    provider: 'openrouter',
    url: `https://openrouter.ai/api${chatPath}`,
    chunks: [
      finish,
      {
        ...said,
        choices: [{ index: 0, delta: { content: '' }, finish_reason: null }],
        usage: {
          prompt_tokens: 4,
          completion_tokens: 10,
          total_tokens: 14,
          cost: 0.0001,
          is_byok: false,
          completion_tokens_details: { reasoning_tokens: 11 },
        },
      },
    ],
    counts: [4, 10, null, null, 11],
  }),
  chat({
    provider: 'perplexity',
    url: 'https://api.perplexity.ai/chat/completions',
    chunks: [1, 2, 3].map((completion_tokens) => ({
      ...(completion_tokens === 3 ? finish : noChoices),
      usage: {
        prompt_tokens: 5,
        completion_tokens,
        total_tokens: 5 + completion_tokens,
        search_context_size: 'low',
        cost: { total_cost: 0.006 },
      },
    })),
    counts: [5, 3, null, null, null],
  }),
  chat({
    provider: 'writer',
    url: 'https://api.writer.com/v1/chat',
    chunks: [
      finish,
      {
        ...noChoices,
        usage: {
          prompt_tokens: 40,
          completion_tokens: 30,
          total_tokens: 70,
          prompt_token_details: { cached_tokens: 8 },
          completion_token_details: { reasoning_tokens: 9 },
        },
      },
    ],
    counts: [40, 30, 8, null, 9],
  }),
  chat({
    provider: 'databricks',
    url: 'https://dbc-1.cloud.databricks.com/serving-endpoints/llama/invocations',
    chunks: [
      { ...noChoices, usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } },
      { ...finish, usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 } },
    ],
    counts: [9, 4, null, null, null],
  }),
  chat({
    provider: 'snowflake',
    url: 'https://org-account.snowflakecomputing.com/api/v2/cortex/inference:complete',
    chunks: [{ ...noChoices, usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } }],
    counts: [3, 2, null, null, null],
  }),
  chat({
    provider: 'vercel',
    url: `https://ai-gateway.vercel.sh${chatPath}`,
    chunks: [
      {
        ...finish,
        usage: {
          prompt_tokens: 61,
          completion_tokens: 10,
          total_tokens: 71,
          cost: 0.0003,
          completion_tokens_details: { reasoning_tokens: 96 },
        },
      },
    ],
    counts: [61, 10, null, null, 96],
  }),
  chat({
    provider: 'zai',
    url: 'https://api.z.ai/api/paas/v4/chat/completions',
    chunks: [
      {
        ...finish,
        usage: {
          prompt_tokens: 14,
          completion_tokens: 6,
          total_tokens: 20,
          prompt_tokens_details: { cached_tokens: 13 },
        },
      },
    ],
    counts: [14, 6, 13, null, null],
  }),
  ...[
    ['alibaba', `https://dashscope-intl.aliyuncs.com/compatible-mode${chatPath}`] as const,
    ['avian', `https://api.avian.io${chatPath}`] as const,
    ['bedrock', `https://bedrock-mantle.us-east-1.api.aws${chatPath}`] as const,
    ['cloudflare', `https://api.cloudflare.com/client/v4/accounts/0/ai${chatPath}`] as const,
    ['crusoe', `https://managed-inference-api-proxy.crusoe.ai${chatPath}`] as const,
    ['huggingface', `https://router.huggingface.co${chatPath}`] as const,
    ['ollama_cloud', `https://ollama.com${chatPath}`] as const,
    [
      'vertex',
      'https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/openapi/chat/completions',
    ] as const,
  ].map(([provider, url]) =>
    chat({
      provider,
      url,
      chunks: [finish, { ...noChoices, usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 } }],
      counts: [2, 1, null, null, null],
    }),
  ),
]
