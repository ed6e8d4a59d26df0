import { createParser } from 'eventsource-parser'
import type { WireFormat } from '../extractors/wire-format.js'
import { answerTooLong } from './answer-too-long.js'
import { createAwsEventFraming } from './aws-event-framing.js'
import { createArrayFraming } from './json-array-framing.js'
import { LongStringFilter } from './long-string-filter.js'

/**
 * How the messages of an answer's body are told apart. `json-array` is one document whose elements are the messages,
 * or a single message that is no array; `text` is a body that tells nothing and holds one message, null.
 */
export type FramingKind = 'json' | 'json-array' | 'ndjson' | 'sse' | 'aws-event-stream' | 'text'

/** Cuts a body into messages, hands each on parsed, and skips what is no JSON. */
export interface Framing {
  /** Throws where a single message exceeds the bound. */
  push(bytes: Uint8Array): void
  /** The body ended by itself: what stands at its end without a terminator is a message too. */
  end(): void
}

/** A framing of text. */
export interface TextFraming {
  push(text: string): void
  end(): void
}

const maxDocumentLength = 16 * 1024 * 1024
const maxMessageLength = 1024 * 1024
const longestStringBytes = 8192

/** How an answer of this content type is framed. */
export function framingKindOf(
  contentType: string,
  format: Pick<WireFormat, 'streamFraming' | 'mayAnswerInText'>,
  wantsStream: boolean,
): FramingKind {
  if (/^text\/event-stream/i.test(contentType)) return 'sse'
  if (/^application\/(x-ndjson|(x-)?jsonl|stream\+json)/i.test(contentType)) return 'ndjson'
  if (/^application\/vnd\.amazon\.eventstream/i.test(contentType)) return 'aws-event-stream'
  if (/^application\/json/i.test(contentType)) return format.streamFraming === 'json-array' ? 'json-array' : 'json'
  if (format.mayAnswerInText && /^text\/|^application\/x-subrip/i.test(contentType)) return 'text'
  return wantsStream ? format.streamFraming : 'json'
}

/** A JSON document may have 16 million characters, a line or an event 1 million, not counting long strings. */
export function createFraming(kind: FramingKind, onMessage: (message: unknown) => void): Framing {
  if (kind === 'aws-event-stream') return createAwsEventFraming(onMessage)
  if (kind === 'text') return { push: () => {}, end: () => onMessage(null) }
  return decodeText(createTextFraming(kind, onMessage))
}

function createTextFraming(
  kind: Exclude<FramingKind, 'aws-event-stream' | 'text'>,
  onMessage: (message: unknown) => void,
): TextFraming {
  const onText = (text: string) => handOn(text, onMessage)
  if (kind === 'sse') return createEventFraming(onMessage)
  if (kind === 'ndjson') return createLineFraming(onText)
  return kind === 'json' ? createDocumentFraming(onText) : createArrayFraming(onText, maxMessageLength)
}

function decodeText(framing: TextFraming): Framing {
  const strings = new LongStringFilter(longestStringBytes)
  const decoder = new TextDecoder()
  const read = (bytes: Uint8Array) => framing.push(decoder.decode(bytes, { stream: true }))
  return {
    push: (bytes) => read(strings.push(bytes)),
    end() {
      read(strings.end())
      framing.end()
    },
  }
}

function createDocumentFraming(onText: (text: string) => void): TextFraming {
  const texts: string[] = []
  let length = 0
  return {
    push(text) {
      length += text.length
      if (length > maxDocumentLength) {
        texts.length = 0
        throw answerTooLong('answer')
      }
      texts.push(text)
    },
    end: () => onText(texts.join('')),
  }
}

function createLineFraming(onText: (text: string) => void): TextFraming {
  let rest = ''
  return {
    push(text) {
      rest += text
      // Only now is a line that came in many pieces put together.
      const lines = text.includes('\n') ? rest.split('\n') : [rest]
      rest = lines.pop() ?? ''
      for (const line of lines) onText(line)
      if (rest.length > maxMessageLength) throw answerTooLong('line of an answer')
    },
    end: () => onText(rest),
  }
}

function createEventFraming(onMessage: (message: unknown) => void): TextFraming {
  const parser = createParser({
    maxBufferSize: maxMessageLength,
    onEvent: ({ data }) => (data === '[DONE]' ? onMessage(data) : handOn(data, onMessage)),
    onError: ({ type, field, value }) => {
      if (type === 'max-buffer-size-exceeded') throw answerTooLong('event of an answer')
      // llama.cpp ends a stream that fails with a line of its own making, `error: {...}`.
      if (type === 'unknown-field' && field === 'error') handOn(`{"error":${value}}`, onMessage)
    },
  })
  return { push: (text) => parser.feed(text), end: () => parser.feed('\n\n') }
}

function handOn(text: string, onMessage: (message: unknown) => void): void {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return
  }
  onMessage(message)
}
