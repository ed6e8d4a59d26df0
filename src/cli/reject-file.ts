import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { TokenLedgerError } from '../errors.js'
import type { RejectedLine } from '../history/import-usage.js'

/** Where rejected lines go: a file of JSON lines for its owner alone, which is made when there is a first one. */
export class RejectFile {
  readonly path: string
  #file: FileHandle | undefined

  constructor(path: string) {
    this.path = path
  }

  async add(line: RejectedLine): Promise<void> {
    this.#file ??= await createOwn(this.path)
    await this.#file.write(`${JSON.stringify(line)}\n`)
  }

  async close(): Promise<void> {
    await this.#file?.close()
  }
}

// A file that is there already may be open to others, and a link may lead anywhere.
async function createOwn(path: string): Promise<FileHandle> {
  const { O_CREAT, O_WRONLY, O_TRUNC, O_NOFOLLOW } = constants
  try {
    const file = await open(path, O_CREAT | O_WRONLY | O_TRUNC | (O_NOFOLLOW ?? 0), 0o600)
    await file.chmod(0o600)
    return file
  } catch (error) {
    const { code, message } = Object(error) as { code?: unknown; message?: unknown }
    throw new TokenLedgerError(
      'TOKENLEDGER_REFUSED',
      `${JSON.stringify(path)} cannot be written (${code ?? message}); --reject-file names another.`,
    )
  }
}
