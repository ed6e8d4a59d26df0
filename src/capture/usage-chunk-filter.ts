import { createParser } from 'eventsource-parser'
import { isJsonObject } from '../extractors/json-object.js'
import { GrowingBytes } from './growing-bytes.js'

const lineFeed = 0x0a
const carriageReturn = 0x0d
const maxEventBytes = 1024 * 1024
const shortestUsageEvent = 'data:{"choices":[],"usage":{}}'.length
const nothing = new Uint8Array(0)
const decoder = new TextDecoder()

/**
 * Takes the chunk that holds nothing but usage out of a stream of chat completions, for an application that did not ask
 * for it. All other bytes pass unchanged, each event as soon as its last byte is there. An event of more than 1 MB ends
 * the hiding: from there on everything passes.
 */
export class UsageChunkFilter {
  // A copy, since the application may take the memory of what passes.
  readonly #held = new GrowingBytes()
  #lineLength = 0
  #afterCarriageReturn = false
  #off = false

  push(chunk: Uint8Array): Uint8Array {
    if (this.#off) return chunk
    const passing: Uint8Array[] = []
    let passedTo = 0
    let start = 0
    for (let index = 0; index < chunk.length; index++) {
      const end = this.#endOfEvent(chunk[index] as number, index)
      if (end === undefined) continue
      const isHeld = this.#held.length > 0
      const event = isHeld ? this.#complete(chunk.subarray(start, end)) : chunk.subarray(start, end)
      const isHidden = isUsageOnly(event)
      if (isHeld && !isHidden) passing.push(event)
      if (!isHeld && isHidden) passing.push(chunk.subarray(passedTo, start))
      if (isHeld || isHidden) passedTo = end
      start = end
    }
    passing.push(chunk.subarray(passedTo, start))
    this.#held.add(chunk.subarray(start))
    this.#off = this.#held.length > maxEventBytes
    if (this.#off) passing.push(this.#held.take())
    return concat(passing)
  }

  /** The bytes after the last event, when nothing more is to come. */
  end(): Uint8Array {
    const rest = this.#held.take()
    return isUsageOnly(rest) ? nothing : rest
  }

  #complete(lastPart: Uint8Array): Uint8Array {
    this.#held.add(lastPart)
    return this.#held.take()
  }

  // An event ends with a blank line. A line ends with CR LF, LF, or a CR that the next byte shows to stand alone.
  #endOfEvent(byte: number, index: number): number | undefined {
    const afterCarriageReturn = this.#afterCarriageReturn
    const isBlank = this.#lineLength === 0
    this.#afterCarriageReturn = byte === carriageReturn
    if (byte === lineFeed) {
      this.#lineLength = 0
      return isBlank ? index + 1 : undefined
    }
    if (afterCarriageReturn) this.#lineLength = 0
    if (byte !== carriageReturn) this.#lineLength += 1
    return afterCarriageReturn && isBlank ? index : undefined
  }
}

function isUsageOnly(event: Uint8Array): boolean {
  // Nearly every event ends here, without having become a text.
  if (event.length < shortestUsageEvent) return false
  if (!Buffer.from(event.buffer, event.byteOffset, event.byteLength).includes('"usage"')) return false
  const text = decoder.decode(event)
  let data = ''
  // The parser waits for what follows a CR.
  createParser({ onEvent: (message) => (data = message.data) }).feed(`${text}\n`)
  try {
    const chunk: unknown = JSON.parse(data)
    return isJsonObject(chunk) && isEmpty(chunk.choices) && isJsonObject(chunk.usage)
  } catch {
    return false
  }
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const [first = nothing, ...others] = parts.filter((part) => part.length > 0)
  if (others.length === 0) return first
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}
