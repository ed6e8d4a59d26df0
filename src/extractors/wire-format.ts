import { type TokenUsage, unknownUsage } from '../usage/token-usage.js'

/**
 * How far an answer is: more is to come; the model gave its reason for stopping; the provider said its last word;
 * the provider reported an error.
 */
export type Progress = 'running' | 'finished' | 'ended' | 'failed'

/** What the messages of an answer have told so far. */
export type AnswerSoFar = {
  readonly model: string | null
  readonly responseId: string | null
  readonly usage: TokenUsage
  readonly progress: Progress
}

/**
 * The part of an HTTP request that tells which format it speaks. `body` is null where it was not read, and empty where
 * it is no JSON object.
 */
export type ModelRequest = {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>> | null
}

/**
 * What a call asked for: an answer to messages, the continuation of a text, an image, embeddings, the ranking of
 * documents, or the text of speech.
 */
export type RequestType = 'chat' | 'completion' | 'image' | 'embedding' | 'rerank' | 'transcription'

/** One provider's way of writing requests and answers. Its functions are pure and never throw. */
export interface WireFormat {
  /** Who the format belongs to: the provider's name where the host does not tell. */
  readonly provider: string
  readonly requestType: RequestType
  /** How a streamed answer is framed where its content type does not tell; `json-array` is announced as a JSON document. */
  readonly streamFraming: 'sse' | 'ndjson' | 'json-array' | 'aws-event-stream'
  /** Set where a stream tells its usage only to who asks for it, by `stream_options.include_usage`. */
  readonly tellsUsageWhenAsked?: true
  /** Set where an answer may be plain text, which is a whole answer that tells no usage. */
  readonly mayAnswerInText?: true
  /** What is known before the first message. */
  readonly initial: AnswerSoFar
  /** Where `body` is null the path alone decides, so that a body is read only where the path may be a model's. */
  matchesRequest(request: ModelRequest): boolean
  /** Whether this message, a whole answer or one event of a stream, can only be of this format. */
  matchesAnswer(message: unknown): boolean
  /** Folds a message into what is known. Counts that a provider repeats replace the earlier ones and are never added. */
  reduce(answer: AnswerSoFar, message: unknown): AnswerSoFar
  /** What the head of an answer tells. */
  readHeaders?(answer: AnswerSoFar, headers: Headers): AnswerSoFar
  /** What the model generated in this message: its text, its reasoning, the arguments of its tool calls; '' for none. */
  outputTextOf(message: unknown): string
}

/** An answer of which nothing has arrived. */
export const nothingKnown: AnswerSoFar = Object.freeze({
  model: null,
  responseId: null,
  usage: unknownUsage,
  progress: 'running',
})

const order: readonly Progress[] = ['running', 'finished', 'ended', 'failed']

/** The later of two states: an answer never goes back, and an error stays. */
export function laterProgress(one: Progress, other: Progress): Progress {
  return order.indexOf(one) < order.indexOf(other) ? other : one
}
