import { EventStreamCodec } from '@smithy/eventstream-codec'
import { describe, expect, it } from 'vitest'
import { createFraming, type FramingKind, framingKindOf } from '../../src/capture/framing.js'
import { geminiGenerateContent, geminiStreamGenerateContent } from '../../src/extractors/gemini-generate-content.js'
import { openAiChat } from '../../src/extractors/openai-chat.js'
import { transcriptions } from '../../src/extractors/transcriptions.js'
import { cutIntoPieces } from '../extractors/replay-server.js'

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString(),
  (text) => Buffer.from(text),
)

function awsEvent(headers: Readonly<Record<string, string>>, payload: string): Uint8Array {
  const typed = Object.entries(headers).map(([name, value]) => [name, { type: 'string' as const, value }])
  return codec.encode({ headers: Object.fromEntries(typed), body: Buffer.from(payload) })
}

function read(kind: FramingKind, bytes: Uint8Array, pieceLength: number): unknown[] {
  const messages: unknown[] = []
  const framing = createFraming(kind, (message) => messages.push(message))
  for (const piece of cutIntoPieces(bytes, [pieceLength])) framing.push(piece)
  framing.end()
  return messages
}

describe.each([1, 3, 7, 100_000])('in pieces of %i bytes', (pieceLength) => {
  it('names the events of an AWS stream by their type, and those that tell of an error by that', () => {
    const stream = Buffer.concat([
      awsEvent({ ':message-type': 'event', ':event-type': 'messageStop' }, '{"stopReason":"end_\\"turn"}'),
      awsEvent({ ':message-type': 'event', ':event-type': 'empty' }, ''),
      awsEvent({ ':message-type': 'exception', ':exception-type': 'throttlingException' }, '{"message":"slow"}'),
      awsEvent({ ':message-type': 'error', ':error-code': 'Internal' }, ''),
      awsEvent({ ':message-type': 'event', ':event-type': '__proto__' }, '{"polluted":1}'),
    ])

    const messages = read('aws-event-stream', stream, pieceLength)

    expect(messages).toEqual([
      { messageStop: { stopReason: 'end_"turn' } },
      { empty: {} },
      { throttlingException: { message: 'slow' } },
      { error: {} },
      JSON.parse('{"__proto__":{"polluted":1}}'),
    ])
    expect({}).not.toHaveProperty('polluted')
  })

  it('hands on the objects of an array one by one', () => {
    const parts = [{ text: 'a } " \\ { ü' }, { deep: { list: [{}, { b: '[' }] } }, {}]
    const text = JSON.stringify(parts, null, 1)

    expect(read('json-array', Buffer.from(text), pieceLength)).toEqual(parts)
    expect(read('json-array', Buffer.from(text.slice(0, -5)), pieceLength)).toEqual(parts.slice(0, 2))
    expect(read('json-array', Buffer.from('{"error":{"code":429}}'), pieceLength)).toEqual([{ error: { code: 429 } }])
  })

  it("takes llama.cpp's own line for an error, and no other unknown line for anything", () => {
    const text = 'data: {"a":1}\n\nretries: 3\nerror: {"code":500}\n\nerror: no JSON\n\n'

    expect(read('sse', Buffer.from(text), pieceLength)).toEqual([{ a: 1 }, { error: { code: 500 } }])
  })
})

it.each([
  ['aws-event-stream', Buffer.from([0x00, 0x20, 0x00, 0x01])],
  ['json-array', Buffer.from(`[{"a":[${'1,'.repeat(600_000)}`)],
] as const)('reads no part of %s that is longer than the bound', (kind, bytes) => {
  const framing = createFraming(kind, () => {})

  expect(() => framing.push(bytes)).toThrow(/too long/)
})

it('keeps what it holds of an AWS event when the memory of a piece is used again', () => {
  const event = awsEvent({ ':event-type': 'a' }, '{"n":1}')
  const messages: unknown[] = []
  const framing = createFraming('aws-event-stream', (message) => messages.push(message))
  const pieces = [event.slice(0, 9), event.slice(9, 20), event.slice(20)]

  for (const piece of pieces) {
    framing.push(piece)
    piece.fill(0)
  }

  expect(messages).toEqual([{ a: { n: 1 } }])
})

it('does not take an AWS event for whole whose check sum is wrong', () => {
  const event = awsEvent({ ':event-type': 'a' }, '{"n":1}')
  event[event.length - 6] = 0x32
  const framing = createFraming('aws-event-stream', () => {})

  expect(() => framing.push(event)).toThrow()
})

it('does not read the text of speech', () => {
  expect(read('text', Buffer.from('1\n00:00 --> 00:01\nSeven.'), 5)).toEqual([null])
})

it.each([
  ['text/event-stream; charset=utf-8', geminiStreamGenerateContent, 'sse'],
  ['application/json; charset=UTF-8', geminiStreamGenerateContent, 'json-array'],
  ['application/json', geminiGenerateContent, 'json'],
  ['application/stream+json', openAiChat, 'ndjson'],
  ['application/x-ndjson', openAiChat, 'ndjson'],
  ['application/vnd.amazon.eventstream', openAiChat, 'aws-event-stream'],
  ['text/plain; charset=utf-8', transcriptions, 'text'],
  ['application/json', transcriptions, 'json'],
  ['text/plain', openAiChat, 'json'],
] as const)('frames %s', (contentType, format, kind) => {
  expect(framingKindOf(contentType, format, false)).toBe(kind)
})

it('frames by the format where the content type is missing', () => {
  expect(framingKindOf('', openAiChat, true)).toBe('sse')
  expect(framingKindOf('', openAiChat, false)).toBe('json')
})
