import { createParser } from 'eventsource-parser'
import { TokenLedgerError } from '../errors.js'

/** How the messages of an answer's body are told apart. */
export type FramingKind = 'json' | 'ndjson' | 'sse'

/** Cuts the text of a body into messages, hands each on parsed, and skips what is no JSON. */
export interface Framing {
  /** Throws where a single message exceeds the bound. */
  push(text: string): void
  /** The body ended by itself: what stands at its end without a terminator is a message too. */
  end(): void
}

const maxDocumentLength = 16 * 1024 * 1024
const maxMessageLength = 1024 * 1024

/** A JSON document may have 16 million characters, a line or an event 1 million, not counting long strings. */
export function createFraming(kind: FramingKind, onMessage: (message: unknown) => void): Framing {
  if (kind === 'sse') return createEventFraming(onMessage)
  return kind === 'ndjson' ? createLineFraming(onMessage) : createDocumentFraming(onMessage)
}

function createDocumentFraming(onMessage: (message: unknown) => void): Framing {
  const texts: string[] = []
  let length = 0
  return {
    push(text) {
      length += text.length
      if (length > maxDocumentLength) {
        texts.length = 0
        throw tooLong('answer')
      }
      texts.push(text)
    },
    end: () => handOn(texts.join(''), onMessage),
  }
}

function createLineFraming(onMessage: (message: unknown) => void): Framing {
  let rest = ''
  return {
    push(text) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) handOn(line, onMessage)
      if (rest.length > maxMessageLength) throw tooLong('line of an answer')
    },
    end: () => handOn(rest, onMessage),
  }
}

function createEventFraming(onMessage: (message: unknown) => void): Framing {
  const parser = createParser({
    maxBufferSize: maxMessageLength,
    onEvent: ({ data }) => (data === '[DONE]' ? onMessage(data) : handOn(data, onMessage)),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw tooLong('event of an answer')
    },
  })
  return { push: (text) => parser.feed(text), end: () => parser.feed('\n\n') }
}

function tooLong(what: string): TokenLedgerError {
  return new TokenLedgerError('TOKENLEDGER_ANSWER_TOO_LONG', `the ${what} is too long to be read for its usage`)
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
