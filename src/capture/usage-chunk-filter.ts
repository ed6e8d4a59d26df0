import { createParser } from 'eventsource-parser'
import { isJsonObject } from '../extractors/json-object.js'

const lineFeed = 0x0a
const carriageReturn = 0x0d
const maxEventBytes = 1024 * 1024
const nothing = new Uint8Array(0)
const decoder = new TextDecoder()

/**
 * Takes the chunk that holds nothing but usage out of a stream of chat completions, for an application that did not ask
 * for it. All other bytes pass unchanged, each event as soon as its last byte is there. An event of more than 1 MB ends
 * the hiding: from there on everything passes.
 */
export class UsageChunkFilter {
  #held: Uint8Array = nothing
  #lineLength = 0
  #afterCarriageReturn = false
  #off = false

  push(chunk: Uint8Array): Uint8Array {
    if (this.#off) return chunk
    const bytes = concat([this.#held, chunk])
    const passing: Uint8Array[] = []
    let passedTo = 0
    let start = 0
    for (let index = this.#held.length; index < bytes.length; index++) {
      const end = this.#endOfEvent(bytes[index] as number, index)
      if (end === undefined) continue
      if (isUsageOnly(bytes.subarray(start, end))) {
        passing.push(bytes.subarray(passedTo, start))
        passedTo = end
      }
      start = end
    }
    this.#off = bytes.length - start > maxEventBytes
    passing.push(bytes.subarray(passedTo, this.#off ? bytes.length : start))
    // A copy, since the application may take the memory of what passes.
    this.#held = this.#off ? nothing : new Uint8Array(bytes.subarray(start))
    return concat(passing)
  }

  /** The bytes after the last event, when nothing more is to come. */
  end(): Uint8Array {
    return isUsageOnly(this.#held) ? nothing : this.#held
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
  const text = decoder.decode(event)
  if (!/"usage"\s*:\s*\{/.test(text)) return false
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
