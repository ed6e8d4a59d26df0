const keptLength = 16_384
const blockLength = 1024

/** The text a model generated, as far as it arrived: its first 16,384 characters, and the length of all. */
export class ReceivedText {
  readonly #blocks: Buffer[] = []
  #latest = ''
  #length = 0

  /** Characters of the whole text. */
  get length(): number {
    return this.#length
  }

  /** The beginning of the text. */
  get start(): string {
    return Buffer.concat(this.#blocks).toString() + this.#latest
  }

  // A text put together from thousands of short pieces takes many times its size; blocks of bytes do not.
  add(text: string): void {
    const room = keptLength - this.#length
    this.#length += text.length
    if (room <= 0) return
    this.#latest += text.slice(0, room)
    if (this.#latest.length < blockLength) return
    this.#blocks.push(Buffer.from(this.#latest))
    this.#latest = ''
  }
}
