const quote = 0x22
const backslash = 0x5c
const lineFeed = 0x0a

/**
 * Empties the long strings of JSON as it passes, so that an answer's images and texts need not be kept to read the
 * numbers around them. Works on one document, on one per line and on server-sent events: no JSON string holds a line
 * feed, so what is not JSON is left behind at the end of its line.
 */
export class LongStringFilter {
  readonly #maxBytes: number
  #held: Uint8Array = new Uint8Array(0)
  #inString = false
  #skipping = false
  #escaped = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The bytes that are certain to stay. The start of a string that may yet turn out long is held back. */
  push(chunk: Uint8Array): Uint8Array {
    const out = new Uint8Array(this.#held.length + chunk.length)
    out.set(this.#held)
    let length = this.#held.length
    let stringStart = 0
    for (const byte of chunk) {
      if (!this.#inString) {
        out[length++] = byte
        if (byte === quote) {
          this.#inString = true
          stringStart = length
        }
      } else if (byte === lineFeed || (byte === quote && !this.#escaped)) {
        this.#inString = false
        this.#skipping = false
        this.#escaped = false
        out[length++] = byte
      } else {
        this.#escaped = byte === backslash && !this.#escaped
        if (!this.#skipping) out[length++] = byte
        if (length - stringStart > this.#maxBytes) {
          this.#skipping = true
          length = stringStart
        }
      }
    }
    const certain = this.#inString ? stringStart : length
    this.#held = out.slice(certain, length)
    return out.subarray(0, certain)
  }

  /** The held bytes, when nothing more is to come. */
  end(): Uint8Array {
    return this.#held
  }
}
