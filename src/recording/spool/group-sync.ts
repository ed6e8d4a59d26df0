import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

const pauseMs = 500
const flags = constants.O_RDONLY | constants.O_NOFOLLOW

/** Has the system put files on the disk itself: all that were written since, every half second at most, and beside the event loop. */
export class GroupSync {
  readonly #directory: string
  readonly #onError: (error: unknown) => void
  readonly #paths = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  constructor(directory: string, onError: (error: unknown) => void) {
    this.#directory = directory
    this.#onError = onError
  }

  /** This file was written to, or has this name now. */
  add(path: string): void {
    this.#paths.add(path)
    this.#schedule()
  }

  /** Resolves when all that was added is on the disk, is gone, or has failed. Never rejects. */
  async finish(): Promise<void> {
    await this.#running
    clearTimeout(this.#timer)
    await this.#sync()
  }

  #schedule(): void {
    if (this.#running === undefined) this.#timer ??= setTimeout(() => void this.#sync(), pauseMs).unref()
  }

  async #sync(): Promise<void> {
    this.#timer = undefined
    this.#running = this.#syncAll([...this.#paths]).catch(this.#onError)
    this.#paths.clear()
    await this.#running
    this.#running = undefined
    if (this.#paths.size > 0) this.#schedule()
  }

  // The name of a new file is kept by its directory.
  async #syncAll(paths: readonly string[]): Promise<void> {
    const found = await Promise.all(paths.map(syncFile))
    if (found.includes(true)) await syncFile(this.#directory)
  }
}

/** False where there is no such file any more: it was written to the store, and needs no keeping. */
async function syncFile(path: string): Promise<boolean> {
  let file: FileHandle | undefined
  try {
    file = await open(path, flags)
    await file.datasync()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  } finally {
    await file?.close()
  }
}
