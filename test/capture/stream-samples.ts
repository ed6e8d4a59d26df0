/** A piece of a streamed answer, as a server writes it, and what the model says in it. */
type Piece = { readonly data: string; readonly says?: string }

/** A streamed answer of one format, written by hand. */
export type StreamSample = {
  readonly name: string
  readonly path: string
  readonly request: { readonly model: string; readonly [field: string]: unknown }
  readonly contentType: string
  readonly pieces: readonly Piece[]
  /** What the provider sends in place of the next piece when it fails. */
  readonly errorPiece: string
  /** Where the input is told before the end. */
  readonly inputToldBy?: number
  /** The piece that ends the model's answer and tells all counts: who leaves after it breaks nothing off. */
  readonly completedBy: number
}

/** What every sample is asked, and what each of them consumed. */
export const question = 'How is a call counted?'
export const consumed = { inputTokens: 21, outputTokens: 13 }

const words = ['Every ', 'call ', 'is ', 'counted ', 'größe ', '数える ', 'once.']
const messages = [{ role: 'user', content: question }]
const chatUsage = { prompt_tokens: 21, completion_tokens: 13, total_tokens: 34 }
const stop = { index: 0, delta: {}, finish_reason: 'stop' }

/** One stream of each format. */
export const streamSamples: readonly StreamSample[] = [
  {
    ...chatSample([{ choices: [stop] }, { choices: [], usage: chatUsage }]),
    name: 'chat completions, usage at the very end',
  },
  {
    ...chatSample([{ choices: [stop], usage: chatUsage }]),
    name: 'chat completions, usage with the finish reason',
  },
  anthropicSample(),
  ollamaSample('/api/chat', (content) => ({ message: { role: 'assistant', content } })),
  ollamaSample('/api/generate', (response) => ({ response })),
]

function chatSample(end: readonly object[]): Omit<StreamSample, 'name'> {
  const write = (fields: object) => event({ id: 'chatcmpl-1', model: 'gpt-5', ...fields })
  const say = (content: string) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })
  const pieces: Piece[] = [
    { data: write({ choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] }) },
    ...words.map((says) => ({ data: write(say(says)), says })),
    ...end.map((fields) => ({ data: write(fields) })),
    { data: 'data: [DONE]\n\n' },
  ]
  return {
    path: '/v1/chat/completions',
    request: { model: 'gpt-5', messages, stream: true, stream_options: { include_usage: true } },
    contentType: 'text/event-stream',
    pieces,
    errorPiece: event({ error: { message: 'overloaded', type: 'server_error' } }),
    completedBy: pieces.length - 2,
  }
}

function anthropicSample(): StreamSample {
  const usage = { input_tokens: 20, cache_read_input_tokens: 1, cache_creation_input_tokens: 0, output_tokens: 2 }
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-opus-5-5', content: [], usage }
  const write = (data: { readonly type: string; readonly [field: string]: unknown }) =>
    `event: ${data.type}\n${event(data)}`
  const say = (text: string) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })
  const pieces: Piece[] = [
    { data: write({ type: 'message_start', message }) },
    { data: write({ type: 'content_block_start', content_block: { type: 'text', text: '' } }) },
    ...words.map((says) => ({ data: write(say(says)), says })),
    { data: write({ type: 'content_block_stop' }) },
    {
      data: write({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 13 } }),
    },
    { data: write({ type: 'message_stop' }) },
  ]
  return {
    name: 'Anthropic messages',
    path: '/v1/messages',
    request: { model: 'claude-opus-5-5', messages, max_tokens: 100, stream: true },
    contentType: 'text/event-stream',
    pieces,
    errorPiece: write({ type: 'error', error: { type: 'overloaded_error' } }),
    inputToldBy: 0,
    completedBy: pieces.length - 2,
  }
}

function ollamaSample(path: string, say: (word: string) => object): StreamSample {
  const figures = { done: true, done_reason: 'stop', prompt_eval_count: 21, eval_count: 13 }
  const write = (fields: object) => `${JSON.stringify({ model: 'llama3.3', ...fields })}\n`
  const asked = path === '/api/chat' ? { messages } : { prompt: question }
  return {
    name: `Ollama ${path}`,
    path,
    request: { model: 'llama3.3', ...asked },
    contentType: 'application/x-ndjson',
    pieces: [
      ...words.map((says) => ({ data: write({ ...say(says), done: false }), says })),
      { data: write({ ...say(''), ...figures }) },
    ],
    errorPiece: `${JSON.stringify({ error: 'the runner stopped' })}\n`,
    completedBy: words.length,
  }
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`
}
