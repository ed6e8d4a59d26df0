import type { Sample } from './samples.js'

const host = 'https://bedrock-runtime.us-east-1.amazonaws.com'

type BedrockSample = Omit<Sample, 'provider' | 'url' | 'requestType' | 'request'> & { readonly path: string }

function bedrock({ path, ...rest }: BedrockSample): Sample {
  return { provider: 'bedrock', url: host + path, requestType: 'chat', request: { messages: [] }, ...rest }
}

const metrics = (inputTokenCount: number, outputTokenCount: number) => ({
  'amazon-bedrock-invocationMetrics': { inputTokenCount, outputTokenCount, firstByteLatency: 300 },
})

/** An event of InvokeModelWithResponseStream. */
function chunk(content: object): object {
  return { chunk: { bytes: Buffer.from(JSON.stringify(content)).toString('base64') } }
}

/** Answers of Amazon Bedrock, in its own format and in those of the models' makers. */
export const bedrockSamples: readonly Sample[] = [
  bedrock({
    path: '/model/us.amazon.nova-lite-v1%3A0/converse',
    messages: [
      {
        output: {
          message: { role: 'assistant', content: [{ text: 'Seven.' }, { toolUse: { name: 'f', input: { a: 1 } } }] },
        },
        stopReason: 'end_turn',
        usage: {
          inputTokens: 20,
          outputTokens: 5,
          totalTokens: 335,
          cacheReadInputTokens: 300,
          cacheReadInputTokenCount: 300,
          cacheWriteInputTokens: 10,
          cacheWriteInputTokenCount: 10,
          cacheDetails: [{ ttl: '5m', inputTokens: 10 }],
        },
      },
    ],
    counts: [330, 5, 300, 10, null],
    text: 'Seven.f{"a":1}',
    model: null,
  }),
  bedrock({
    path: '/model/openai.gpt-oss/converse-stream',
    messages: [
      { messageStart: { role: 'assistant', p: 'abc' } },
      { contentBlockDelta: { delta: { reasoningContent: { text: 'Hm. ' } }, p: 'ab' } },
      { contentBlockStart: { start: { toolUse: { name: 'f', toolUseId: 't' } } } },
      { contentBlockDelta: { delta: { toolUse: { input: '{"a":1}' } } } },
      { messageStop: { stopReason: 'tool_use' } },
      { metadata: { usage: { inputTokens: 300, outputTokens: 12, totalTokens: 312, cacheReadInputTokens: 256 } } },
    ],
    counts: [300, 12, 256, null, null],
    text: 'Hm. f{"a":1}',
    model: null,
  }),
  bedrock({
    path: '/model/anthropic.claude-v9/invoke',
    messages: [
      {
        type: 'message',
        id: 'msg_1',
        model: 'claude',
        content: [{ type: 'text', text: 'Seven.' }],
        usage: { input_tokens: 4, cache_creation_input_tokens: 60, cache_read_input_tokens: 7, output_tokens: 3 },
      },
    ],
    counts: [71, 3, 7, 60, null],
    text: 'Seven.',
    model: 'claude',
  }),
  bedrock({
    path: '/model/anthropic.claude-v9/invoke-with-response-stream',
    messages: [
      chunk({
        type: 'message_start',
        message: { id: 'msg_1', model: 'claude', usage: { input_tokens: 9, output_tokens: 1 } },
      }),
      chunk({ type: 'content_block_delta', delta: { type: 'text_delta', text: 'Seven.' } }),
      chunk({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 6 } }),
      chunk({ type: 'message_stop', ...metrics(9, 6) }),
    ],
    counts: [9, 6, null, null, null],
    text: 'Seven.',
    model: 'claude',
  }),
  bedrock({
    path: '/model/amazon.nova-lite-v1%3A0/invoke-with-response-stream',
    messages: [
      chunk({ contentBlockDelta: { delta: { text: 'Seven.' } } }),
      chunk({
        metadata: { usage: { inputTokens: 8, outputTokens: 2, cacheReadInputTokenCount: 30 } },
        ...metrics(8, 2),
      }),
    ],
    counts: [38, 2, 30, null, null],
    text: 'Seven.',
    model: null,
  }),
  bedrock({
    path: '/model/amazon.titan-text-express-v1/invoke',
    messages: [
      { inputTextTokenCount: 7, results: [{ tokenCount: 5, outputText: 'Seven.', completionReason: 'FINISH' }] },
    ],
    counts: [7, 5, null, null, null],
    text: 'Seven.',
    model: null,
  }),
  bedrock({
    path: '/model/meta.llama3/invoke-with-response-stream',
    messages: [
      chunk({ generation: 'Sev', prompt_token_count: 30, generation_token_count: 1, stop_reason: null }),
      chunk({
        generation: 'en.',
        prompt_token_count: null,
        generation_token_count: 2,
        stop_reason: 'stop',
        ...metrics(30, 2),
      }),
    ],
    counts: [30, 2, null, null, null],
    text: 'Seven.',
    model: null,
  }),
  bedrock({
    path: '/model/cohere.command/invoke-with-response-stream',
    messages: [chunk({ generations: [{ text: 'Seven.' }], prompt: 'Wie viele?', ...metrics(6, 4) })],
    counts: [6, 4, null, null, null],
    text: 'Seven.',
    model: null,
  }),
  {
    ...bedrock({
      path: '/model/amazon.titan-embed-text-v2%3A0/invoke',
      messages: [{ embedding: [0.1, 0.2], inputTextTokenCount: 13 }],
      counts: [13, 0, null, null, null],
      text: '',
      model: null,
    }),
    requestType: 'embedding',
  },
  {
    ...bedrock({
      path: '/model/stability.sd3-large-v1%3A0/invoke',
      messages: [{ images: ['aaaa'], seeds: [7] }],
      counts: [1, 1, null, null, null],
      text: '',
      model: null,
    }),
    requestType: 'image',
  },
]
