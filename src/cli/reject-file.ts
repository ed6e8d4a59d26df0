import { type FileHandle, open } from 'node:fs/promises'
import type { RejectedLine } from '../history/import-usage.js'

/** Where rejected lines go: a file of JSON lines for its owner alone, which is made when there is a first one. */
export class RejectFile {
  readonly path: string
  #file: FileHandle | undefined

  constructor(path: string) {
    this.path = path
  }

  async add(line: RejectedLine): Promise<void> {
    this.#file ??= await open(this.path, 'w', 0o600)
    await this.#file.write(`${JSON.stringify(line)}\n`)
  }

  async close(): Promise<void> {
    await this.#file?.close()
  }
}
