import type { Sample } from './samples.js'

type Call = Omit<Sample, 'requestType' | 'text' | 'model' | 'messages'> & { readonly answer: object }

function embedding({ answer, ...call }: Call): Sample {
  return { ...call, requestType: 'embedding', messages: [answer], text: '', model: modelOf(answer) }
}

function ranking({ answer, ...call }: Call): Sample {
  return { ...call, requestType: 'rerank', messages: [answer], text: '', model: modelOf(answer) }
}

function image({ answer, ...call }: Omit<Call, 'counts'>): Sample {
  const counts = [1, 1, null, null, null]
  return { ...call, requestType: 'image', counts, messages: [answer], text: '', model: modelOf(answer) }
}

function transcription({ answer, ...call }: Call): Sample {
  return { ...call, requestType: 'transcription', messages: [answer], text: 'Seven.', model: modelOf(answer) }
}

function modelOf(answer: object): string | null {
  return 'model' in answer && typeof answer.model === 'string' ? answer.model : null
}

const texts = { model: 'a-model', input: ['bee', 'wasp'] }
const documents = { model: 'a-model', query: 'bee', documents: ['wasp'] }
const list = (usage: object) => ({
  object: 'list',
  model: 'e',
  data: [{ object: 'embedding', embedding: [0.1] }],
  usage,
})
const cohereUsage = {
  billed_units: { input_tokens: 25, output_tokens: 9 },
  tokens: { input_tokens: 91, output_tokens: 11, reasoning_tokens: 2 },
  cached_tokens: 48,
}
const messages = [{ role: 'user', content: 'Wie viele?' }]

const chats: readonly Sample[] = [
  {
    provider: 'ollama',
    requestType: 'chat',
    url: 'http://127.0.0.1:11434/api/chat',
    request: { model: 'a-model', messages },
    messages: [
      { model: 'llama', message: { role: 'assistant', content: 'Seven.' }, done: false },
      {
        model: 'llama',
        message: { content: '' },
        done: true,
        prompt_eval_count: 26,
        prompt_eval_cached_count: 8,
        eval_count: 3,
      },
    ],
    counts: [26, 3, 8, null, null],
    text: 'Seven.',
    model: 'llama',
  },
  {
    provider: 'lmstudio',
    requestType: 'chat',
    url: 'http://127.0.0.1:1234/api/v1/chat',
    request: { model: 'a-model', input: 'Wie viele?' },
    messages: [
      { type: 'chat.start', model_instance_id: 'qwen' },
      { type: 'reasoning.delta', content: 'Hm. ' },
      { type: 'message.delta', content: 'Seven.' },
      {
        type: 'chat.end',
        result: {
          model_instance_id: 'qwen',
          output: [{ type: 'message', content: 'Seven.' }],
          stats: { input_tokens: 35, total_output_tokens: 21, reasoning_output_tokens: 4, tokens_per_second: 41.1 },
          response_id: 'resp_1',
        },
      },
    ],
    counts: [35, 21, null, null, 4],
    text: 'Hm. Seven.',
    model: 'qwen',
  },
  {
    provider: 'cohere',
    requestType: 'chat',
    url: 'https://api.cohere.com/v2/chat',
    request: { model: 'a-model', messages },
    messages: [
      { type: 'message-start', id: 'c1', delta: { message: { role: 'assistant', content: [], tool_plan: '' } } },
      { type: 'tool-plan-delta', delta: { message: { tool_plan: 'Hm. ' } } },
      { type: 'content-delta', delta: { message: { content: { text: 'Seven.' } } } },
      { type: 'tool-call-delta', delta: { message: { tool_calls: { function: { arguments: '{}' } } } } },
      { type: 'message-end', delta: { finish_reason: 'COMPLETE', usage: cohereUsage } },
      '[DONE]',
    ],
    counts: [91, 11, 48, null, 2],
    text: 'Hm. Seven.{}',
    model: null,
  },
  {
    provider: 'cohere',
    requestType: 'chat',
    url: 'https://api.cohere.com/v2/chat',
    request: { model: 'a-model', messages },
    messages: [
      {
        id: 'c2',
        message: {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Hm. ' },
            { type: 'text', text: 'Seven.' },
          ],
        },
        finish_reason: 'COMPLETE',
        usage: { ...cohereUsage, tokens: { input_tokens: 34, output_tokens: 56, image_tokens: 259 } },
      },
    ],
    counts: [293, 56, 48, null, null],
    text: 'Hm. Seven.',
    model: null,
  },
  {
    provider: 'cohere',
    requestType: 'chat',
    url: 'https://api.cohere.ai/v1/chat',
    request: { message: 'Wie viele?' },
    messages: [
      { event_type: 'stream-start', is_finished: false, generation_id: 'g' },
      { event_type: 'text-generation', is_finished: false, text: 'Seven.' },
      {
        event_type: 'stream-end',
        is_finished: true,
        finish_reason: 'COMPLETE',
        response: { response_id: 'r', text: 'Seven.', meta: { billed_units: { input_tokens: 23, output_tokens: 6 } } },
      },
    ],
    counts: [23, 6, null, null, null],
    text: 'Seven.',
    model: null,
  },
  {
    provider: 'openai',
    requestType: 'chat',
    url: 'https://api.openai.com/v1/threads/thread_1/runs',
    request: { assistant_id: 'asst_1' },
    messages: [
      { object: 'thread.run', id: 'run_1', model: 'the-model', status: 'queued', usage: null },
      { object: 'thread.message.delta', delta: { content: [{ type: 'text', text: { value: 'Seven.' } }] } },
      {
        object: 'thread.run.step',
        id: 'step_1',
        status: 'completed',
        usage: { prompt_tokens: 300, completion_tokens: 1 },
      },
      {
        object: 'thread.run',
        id: 'run_1',
        model: 'the-model',
        status: 'completed',
        usage: {
          prompt_tokens: 380,
          completion_tokens: 9,
          total_tokens: 389,
          prompt_token_details: { cached_tokens: 5 },
        },
      },
      '[DONE]',
    ],
    counts: [380, 9, 5, null, null],
    text: 'Seven.',
    model: 'the-model',
  },
  ...['openai|https://api.openai.com', 'together|https://api.together.xyz', 'writer|https://api.writer.com'].map(
    (row) => {
      const [provider = '', origin] = row.split('|')
      const choices = [{ index: 0, text: 'Seven.', finish_reason: 'length' }]
      const usage = { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 }
      return {
        provider,
        requestType: 'completion',
        url: `${origin}/v1/completions`,
        request: { model: 'a-model', prompt: 'The bees are' },
        messages: [{ object: 'text_completion', model: 'davinci', choices, usage }],
        counts: [10, 3, null, null, null],
        text: 'Seven.',
        model: 'davinci',
      }
    },
  ),
]

/** Answers that are no chat in one of the widespread formats. */
export const otherSamples: readonly Sample[] = [
  ...chats,
  ...[
    'openai|https://api.openai.com/v1/embeddings',
    'azure|https://mine.openai.azure.com/openai/deployments/d/embeddings',
    'mistral|https://api.mistral.ai/v1/embeddings',
    'openrouter|https://openrouter.ai/api/v1/embeddings',
    'perplexity|https://api.perplexity.ai/v1/embeddings',
  ].map((row) => {
    const [provider = '', url = ''] = row.split('|')
    const answer = list({ prompt_tokens: 6, total_tokens: 6 })
    return embedding({ provider, url, request: texts, answer, counts: [6, 0, null, null, null] })
  }),
  embedding({
    provider: 'voyage',
    url: 'https://api.voyageai.com/v1/embeddings',
    request: texts,
    answer: list({ total_tokens: 18 }),
    counts: [18, 0, null, null, null],
  }),
  embedding({
    provider: 'cohere',
    url: 'https://api.cohere.com/v2/embed',
    request: { model: 'a-model', texts: ['bee'], input_type: 'search_query' },
    answer: {
      id: 'e1',
      embeddings: { float: [[0.1]] },
      meta: { billed_units: { input_tokens: 3, image_tokens: 20 } },
      response_type: 'embeddings_by_type',
    },
    counts: [23, 0, null, null, null],
  }),
  embedding({
    provider: 'gemini',
    url: 'https://generativelanguage.googleapis.com/v1beta/models/gemini-embedding-2:batchEmbedContents',
    request: { requests: [] },
    answer: { embeddings: [{ values: [0.1] }], usageMetadata: { promptTokenCount: 261 } },
    counts: [261, 0, null, null, null],
  }),
  embedding({
    provider: 'vertex',
    url: 'https://aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/text-embedding-004:predict',
    request: { instances: [] },
    answer: {
      predictions: [3, 4].map((token_count) => ({ embeddings: { statistics: { token_count }, values: [0.1] } })),
      metadata: { billableCharacterCount: 21 },
    },
    counts: [7, 0, null, null, null],
  }),
  embedding({
    provider: 'ollama',
    url: 'http://127.0.0.1:11434/api/embed',
    request: texts,
    answer: { model: 'nomic', embeddings: [[0.1]], total_duration: 1, prompt_eval_count: 8 },
    counts: [8, 0, null, null, null],
  }),
  ranking({
    provider: 'voyage',
    url: 'https://api.voyageai.com/v1/rerank',
    request: documents,
    answer: { model: 'rerank-2', data: [{ relevance_score: 0.7, index: 0 }], usage: { total_tokens: 43 } },
    counts: [43, 0, null, null, null],
  }),
  ranking({
    provider: 'openrouter',
    url: 'https://openrouter.ai/api/v1/rerank',
    request: documents,
    answer: {
      model: 'rerank-2',
      results: [{ relevance_score: 0.7, index: 0 }],
      usage: { total_tokens: 17, cost: 3e-7 },
    },
    counts: [17, 0, null, null, null],
  }),
  ranking({
    provider: 'cohere',
    url: 'https://api.cohere.com/v2/rerank',
    request: documents,
    answer: { id: 'r', results: [{ relevance_score: 0.7, index: 0 }], meta: { billed_units: { search_units: 1 } } },
    counts: [null, null, null, null, null],
  }),
  image({
    provider: 'openai',
    url: 'https://api.openai.com/v1/images/generations',
    request: { model: 'a-model', prompt: 'a bee' },
    answer: { created: 1, data: [{ b64_json: 'aaaa' }], usage: { input_tokens: 50, output_tokens: 1056 } },
  }),
  image({
    provider: 'azure',
    url: 'https://mine.openai.azure.com/openai/deployments/d/images/generations',
    request: { prompt: 'a bee' },
    answer: { created: 1, data: [{ url: 'https://x/1' }] },
  }),
  image({
    provider: 'xai',
    url: 'https://api.x.ai/v1/images/edits',
    request: { model: 'a-model', prompt: 'a bee' },
    answer: { data: [{ url: 'https://x/1' }], usage: { cost_in_usd_ticks: 700 } },
  }),
  ...[
    'gemini|https://generativelanguage.googleapis.com/v1beta',
    'vertex|https://aiplatform.googleapis.com/v1/publishers/google',
  ].map((row) => {
    const [provider = '', base] = row.split('|')
    const answer = { predictions: [{ mimeType: 'image/png', bytesBase64Encoded: 'aaaa' }] }
    return image({ provider, url: `${base}/models/imagen-4:predict`, request: { instances: [] }, answer })
  }),
  transcription({
    provider: 'openai',
    url: 'https://api.openai.com/v1/audio/transcriptions',
    request: {},
    answer: {
      text: 'Seven.',
      usage: {
        type: 'tokens',
        input_tokens: 25,
        output_tokens: 6,
        total_tokens: 31,
        input_token_details: { audio_tokens: 21 },
      },
    },
    counts: [25, 6, null, null, null],
  }),
  transcription({
    provider: 'openai',
    url: 'https://api.openai.com/v1/audio/translations',
    request: {},
    answer: { text: 'Seven.', usage: { type: 'duration', seconds: 37 } },
    counts: [null, null, null, null, null],
  }),
  transcription({
    provider: 'mistral',
    url: 'https://api.mistral.ai/v1/audio/transcriptions',
    request: {},
    answer: {
      model: 'voxtral',
      text: 'Seven.',
      usage: {
        prompt_tokens: 5,
        completion_tokens: 11,
        total_tokens: 391,
        prompt_tokens_details: { audio_tokens: 375 },
      },
    },
    counts: [380, 11, null, null, null],
  }),
  transcription({
    provider: 'openrouter',
    url: 'https://openrouter.ai/api/v1/audio/transcriptions',
    request: {},
    answer: { text: 'Seven.', usage: { input_tokens: 37, output_tokens: 12, total_tokens: 49, cost: 0.0001 } },
    counts: [37, 12, null, null, null],
  }),
  ...['groq|https://api.groq.com/openai', 'cohere|https://api.cohere.com'].map((row) => {
    const [provider = '', base] = row.split('|')
    const counts = [null, null, null, null, null]
    const url = `${base}/v2/audio/transcriptions`
    return transcription({ provider, url, request: {}, answer: { text: 'Seven.' }, counts })
  }),
]
