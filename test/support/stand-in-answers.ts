import type { SeededRandom } from './seeded-random.js'

/** What a stand-in counted for one call. `inputTokens` contains cache reads and writes, `outputTokens` reasoning. */
export type StandInCounts = {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  readonly reasoningTokens: number
}

/** An answer before it is sent: one part for a JSON document, one for each event or line of a stream. */
export type StandInAnswer = {
  readonly provider: 'openai' | 'anthropic' | 'ollama' | 'gemini'
  readonly requestType: 'chat' | 'image'
  /** Where the path names it and not the body. */
  readonly model?: string
  readonly responseId: string | null
  readonly contentType: string
  readonly counts: StandInCounts
  readonly parts: readonly string[]
  /** What the provider sends in place of the next part when it fails in the middle of a stream. */
  readonly errorPart: string
}

/** What an answer is made from. */
export type StandInQuestion = {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  readonly random: SeededRandom
  /** Words of the answer's text. */
  readonly words: number
  /** Chat completions carry the usage so far in every chunk. */
  readonly cumulativeUsage: boolean
  /** Whose way of ending a stream of chat completions; OpenAI's where it is left out. */
  readonly dialect?: ChatDialect | undefined
}

/** All of them tell the usage in the chunk that says why the model stopped; Cerebras sends no `[DONE]`. */
export type ChatDialect = 'groq' | 'together' | 'cerebras'

const vocabulary = [
  'a',
  'token',
  'is',
  'counted',
  'once',
  'été',
  'größe',
  '数える',
  'жетон',
  '🧮',
  '"quoted"',
  'line\nbreak',
]

/** The answer of the provider whose path this is; undefined where there is none. */
export function createStandInAnswer(question: StandInQuestion): StandInAnswer | undefined {
  const { path } = question
  if (path.endsWith('/chat/completions')) return answerChat(question)
  if (/\/images\/(generations|edits)$/.test(path)) return answerImages(question)
  if (path.endsWith('/v1/messages')) return answerMessages(question)
  return /\/api\/(chat|generate)$/.test(path) ? answerOllama(question) : undefined
}

function answerChat({ body, random, words, cumulativeUsage, dialect }: StandInQuestion): StandInAnswer {
  const text = writeText(random, words)
  const counts = { ...countTokens(random, words), cacheWriteTokens: 0 }
  const head = { id: `chatcmpl-${random.id(24)}`, created: seconds(), model: body.model, service_tier: 'default' }
  const common = { provider: 'openai', requestType: 'chat', responseId: head.id, counts } as const
  const errorPart = event({
    error: { message: 'The server had an error', type: 'server_error', param: null, code: null },
  })
  if (body.stream !== true) {
    const message = { role: 'assistant', content: text.join(''), refusal: null }
    const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop' }]
    const document = { ...head, object: 'chat.completion', choices, usage: chatUsage(counts, 1) }
    return { ...common, contentType: 'application/json', parts: [JSON.stringify(document)], errorPart }
  }
  const isAsked = (body.stream_options as { include_usage?: boolean } | undefined)?.include_usage === true
  const deltas = [{ role: 'assistant', content: '' }, ...text.map((content) => ({ content })), {}]
  const chunks = deltas.map((delta, index) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: index === deltas.length - 1 ? 'stop' : null }],
    ...(isAsked && { usage: null }),
    ...(cumulativeUsage && { usage: chatUsage(counts, (index + 1) / deltas.length) }),
    ...(index === deltas.length - 1 && finishOf(dialect, head.id, chatUsage(counts, 1))),
  }))
  const last = { ...head, object: 'chat.completion.chunk', choices: [], usage: chatUsage(counts, 1) }
  const hasLast = isAsked && (dialect === undefined || dialect === 'groq')
  const parts = [...chunks, ...(hasLast ? [last] : [])].map(event)
  return {
    ...common,
    contentType: 'text/event-stream; charset=utf-8',
    parts: dialect === 'cerebras' ? parts : [...parts, 'data: [DONE]\n\n'],
    errorPart,
  }
}

function finishOf(dialect: ChatDialect | undefined, id: string, usage: object): object {
  if (dialect === 'groq') return { x_groq: { id, usage } }
  return dialect === undefined ? {} : { usage }
}

function chatUsage(counts: StandInCounts, share: number): object {
  const completion = Math.ceil(counts.outputTokens * share)
  return {
    prompt_tokens: counts.inputTokens,
    completion_tokens: completion,
    total_tokens: counts.inputTokens + completion,
    prompt_tokens_details: { cached_tokens: counts.cacheReadTokens, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: counts.reasoningTokens, audio_tokens: 0 },
  }
}

function answerImages({ body, random }: StandInQuestion): StandInAnswer {
  const counts = { ...countTokens(random, 0), cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
  const { inputTokens, outputTokens } = counts
  const isTokenBased = String(body.model).startsWith('gpt-image')
  const url = `https://images.example/${random.id(12)}.png`
  const image = body.response_format === 'url' ? { url } : { b64_json: random.id(100).repeat(2_000) }
  const usage = {
    total_tokens: inputTokens + outputTokens,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    input_tokens_details: { text_tokens: inputTokens, image_tokens: 0 },
  }
  const document = { created: seconds(), data: [image], ...(isTokenBased && { usage }) }
  return {
    provider: 'openai',
    requestType: 'image',
    responseId: null,
    contentType: 'application/json',
    counts,
    parts: [JSON.stringify(document)],
    errorPart: '',
  }
}

function answerMessages({ body, random, words }: StandInQuestion): StandInAnswer {
  const text = writeText(random, words)
  const counts = { ...countTokens(random, words), reasoningTokens: 0 }
  const usage = messageUsage(counts)
  const id = `msg_${random.id(24)}`
  const message = { id, type: 'message', role: 'assistant', model: body.model, stop_sequence: null }
  const common = { provider: 'anthropic', requestType: 'chat', responseId: id, counts } as const
  const errorPart = namedEvent({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })
  if (body.stream !== true) {
    const content = [{ type: 'text', text: text.join('') }]
    const document = { ...message, content, stop_reason: 'end_turn', usage }
    return { ...common, contentType: 'application/json', parts: [JSON.stringify(document)], errorPart }
  }
  const start = { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: random.integer(1, 8) } }
  const events = [
    { type: 'message_start', message: start },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'ping' },
    ...text.map((part) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: part } })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: deltaUsage(usage) },
    { type: 'message_stop' },
  ]
  return { ...common, contentType: 'text/event-stream; charset=utf-8', parts: events.map(namedEvent), errorPart }
}

function messageUsage({ inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }: StandInCounts) {
  return {
    input_tokens: inputTokens - cacheReadTokens - cacheWriteTokens,
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cacheReadTokens,
    cache_creation: { ephemeral_5m_input_tokens: cacheWriteTokens, ephemeral_1h_input_tokens: 0 },
    output_tokens: outputTokens,
    service_tier: 'standard',
  }
}

function deltaUsage({ cache_creation, service_tier, ...usage }: ReturnType<typeof messageUsage>): object {
  return usage
}

function answerOllama({ path, body, random, words }: StandInQuestion): StandInAnswer {
  const text = writeText(random, words)
  const counts = { ...countTokens(random, words), cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
  const head = { model: body.model, created_at: new Date().toISOString() }
  const say = (content: string) =>
    path.endsWith('/chat') ? { message: { role: 'assistant', content } } : { response: content }
  const figures = {
    done: true,
    done_reason: 'stop',
    total_duration: random.integer(1e8, 9e9),
    prompt_eval_count: counts.inputTokens,
    eval_count: counts.outputTokens,
  }
  const common = { provider: 'ollama', requestType: 'chat', responseId: null, counts } as const
  const errorPart = `${JSON.stringify({ error: 'model runner has unexpectedly stopped' })}\n`
  if (body.stream === false) {
    const document = { ...head, ...say(text.join('')), ...figures }
    return { ...common, contentType: 'application/json; charset=utf-8', parts: [JSON.stringify(document)], errorPart }
  }
  const lines = [...text.map((part) => ({ ...head, ...say(part), done: false })), { ...head, ...say(''), ...figures }]
  const parts = lines.map((line) => `${JSON.stringify(line)}\n`)
  return { ...common, contentType: 'application/x-ndjson', parts, errorPart }
}

/** Any counts for an answer of this many words. */
export function countTokens(random: SeededRandom, words: number): StandInCounts {
  const cacheReadTokens = random.pick([0, 0, 128, 1024])
  const cacheWriteTokens = random.pick([0, 0, 256])
  const reasoningTokens = random.pick([0, 0, random.integer(1, 400)])
  const inputTokens = random.integer(5, 900) + cacheReadTokens + cacheWriteTokens
  return {
    inputTokens,
    outputTokens: words + random.integer(1, 40) + reasoningTokens,
    cacheReadTokens,
    cacheWriteTokens,
    reasoningTokens,
  }
}

/** As many words, each with a space behind it. */
export function writeText(random: SeededRandom, words: number): string[] {
  return Array.from({ length: words }, () => `${random.pick(vocabulary)} `)
}

function seconds(): number {
  return Math.floor(Date.now() / 1000)
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

function namedEvent(data: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${data.type}\n${event(data)}`
}
