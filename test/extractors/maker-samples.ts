import type { Sample } from './samples.js'

const messages = [{ role: 'user', content: 'Wie viele?' }]
const responseUsage = {
  input_tokens: 80,
  input_tokens_details: { cached_tokens: 32, cache_write_tokens: 16 },
  output_tokens: 25,
  output_tokens_details: { reasoning_tokens: 10 },
  total_tokens: 105,
}
const output = [
  { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm. ' }] },
  { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Seven.' }] },
]
const response = { id: 'resp_1', object: 'response', model: 'the-model', status: 'in_progress', usage: null }
const responseStream = [
  { type: 'response.created', response },
  { type: 'response.in_progress', response },
  { type: 'response.reasoning_summary_text.delta', delta: 'Hm. ' },
  { type: 'response.output_text.delta', delta: 'Seven.' },
  { type: 'response.output_text.done', text: 'Seven.' },
  { type: 'response.completed', response: { ...response, status: 'completed', output, usage: responseUsage } },
]

function responses(provider: string, url: string): Sample {
  const counts = [80, 25, 32, 16, 10]
  const request = { model: 'a-model', input: 'Wie viele?' }
  return {
    provider,
    url,
    request,
    requestType: 'chat',
    messages: responseStream,
    counts,
    text: 'Hm. Seven.',
    model: 'the-model',
  }
}

const anthropicStart = {
  type: 'message_start',
  message: {
    id: 'msg_1',
    model: 'claude',
    usage: {
      input_tokens: 10,
      cache_creation_input_tokens: 50,
      cache_read_input_tokens: 400,
      cache_creation: { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 20 },
      output_tokens: 2,
    },
  },
}
const anthropicStream = [
  anthropicStart,
  { type: 'content_block_start', content_block: { type: 'thinking', thinking: '' } },
  { type: 'content_block_delta', delta: { type: 'thinking_delta', thinking: 'Hm. ' } },
  { type: 'content_block_delta', delta: { type: 'text_delta', text: 'Seven.' } },
  {
    type: 'message_delta',
    delta: { stop_reason: 'end_turn' },
    usage: { output_tokens: 21, output_tokens_details: { thinking_tokens: 8 } },
  },
  { type: 'message_stop' },
]

function anthropic(provider: string, url: string): Sample {
  return {
    provider,
    url,
    requestType: 'chat',
    request: { model: 'a-model', messages, max_tokens: 100 },
    messages: anthropicStream,
    counts: [460, 21, 400, 50, 8],
    text: 'Hm. Seven.',
    model: 'claude',
  }
}

const geminiHead = { modelVersion: 'gemini-9', responseId: 'g1' }
const geminiStream = [
  {
    ...geminiHead,
    candidates: [{ content: { parts: [{ text: 'Hm. ', thought: true }] } }],
    usageMetadata: { trafficType: 'ON_DEMAND' },
  },
  {
    ...geminiHead,
    candidates: [{ content: { parts: [{ text: 'Sev' }] } }],
    usageMetadata: { promptTokenCount: 99, candidatesTokenCount: 30, totalTokenCount: 129 },
  },
  {
    ...geminiHead,
    candidates: [
      { content: { parts: [{ text: 'en.' }, { functionCall: { name: 'f', args: { a: 1 } } }] }, finishReason: 'STOP' },
    ],
    usageMetadata: {
      promptTokenCount: 60,
      toolUsePromptTokenCount: 40,
      cachedContentTokenCount: 24,
      candidatesTokenCount: 12,
      thoughtsTokenCount: 30,
      totalTokenCount: 142,
      serviceTier: 'standard',
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 60 }],
    },
  },
]

function gemini(provider: string, url: string): Sample {
  return {
    provider,
    url,
    requestType: 'chat',
    request: { contents: [] },
    messages: geminiStream,
    counts: [100, 42, 24, null, 30],
    text: 'Hm. Seven.f{"a":1}',
    model: 'gemini-9',
  }
}

const interactionUsage = {
  total_input_tokens: 50,
  total_tool_use_tokens: 5,
  total_cached_tokens: 20,
  total_output_tokens: 9,
  total_thought_tokens: 6,
  total_tokens: 70,
}

/** Answers in the formats of OpenAI, Anthropic and Google. */
export const makerSamples: readonly Sample[] = [
  responses('openai', 'https://api.openai.com/v1/responses'),
  responses('azure', 'https://mine.openai.azure.com/openai/v1/responses'),
  responses('xai', 'https://api.x.ai/v1/responses'),
  responses('openrouter', 'https://openrouter.ai/api/v1/responses'),
  responses('deepseek', 'https://api.deepseek.com/responses'),
  {
    ...responses('openai', 'https://api.openai.com/v1/responses/compact'),
    messages: [
      {
        id: 'resp_2',
        object: 'response.compaction',
        output: [
          { type: 'message', role: 'user', content: [{ text: 'Wie viele?' }] },
          { type: 'compaction', id: 'c' },
        ],
        usage: responseUsage,
      },
    ],
    text: '',
    model: null,
  },
  anthropic('anthropic', 'https://api.anthropic.com/v1/messages'),
  anthropic(
    'vertex',
    'https://aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:streamRawPredict',
  ),
  gemini('gemini', 'https://generativelanguage.googleapis.com/v1beta/models/gemini-9:streamGenerateContent'),
  gemini('gemini', 'https://generativelanguage.googleapis.com/v1beta/models/gemini-9:generateContent'),
  gemini(
    'vertex',
    'https://aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/gemini-9:streamGenerateContent',
  ),
  {
    provider: 'gemini',
    requestType: 'chat',
    url: 'https://generativelanguage.googleapis.com/v1beta/interactions',
    request: { model: 'a-model', input: 'Wie viele?' },
    messages: [
      { event_type: 'interaction.created', interaction: { id: 'i1', object: 'interaction', model: 'gemini-9' } },
      { event_type: 'step.start', step: { type: 'function_call', name: 'f', arguments: {} } },
      { event_type: 'step.delta', delta: { type: 'arguments_delta', arguments: '{"a":1}' } },
      { event_type: 'step.delta', delta: { type: 'text', text: 'Seven.' } },
      {
        event_type: 'interaction.completed',
        interaction: { id: 'i1', object: 'interaction', model: 'gemini-9', usage: interactionUsage },
      },
    ],
    counts: [55, 15, 20, null, 6],
    text: 'f{"a":1}Seven.',
    model: 'gemini-9',
  },
]
