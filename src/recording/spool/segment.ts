import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { crc32 } from 'node:zlib'
import { type FramesRead, type Piece, piecesOf, readFrames } from './frame.js'

/** Bytes after which a segment takes no more. */
export const fullSegmentBytes = 256 * 1024

/** Of a file that is to take the place of a segment; one that is left over has nothing that the segment has not. */
export const partSuffix = '.part'

// A full segment and the largest record: a larger file is none of ours.
const largestSegmentBytes = 4 * fullSegmentBytes
const formatVersion = 1
const headerBytes = 16
const createFlags =
  constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_WRONLY | constants.O_NOFOLLOW
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW

/**
 * A file that this process appends frames to. It is removed when each of its records has been acknowledged; until then
 * whoever finds it after the end of the process finds all of them.
 */
export class Segment {
  readonly path: string
  readonly #descriptor: number
  readonly #inode: number
  readonly #onRemoved: (segment: Segment) => void
  #state: 'open' | 'sealed' | 'removed' = 'open'
  #bytes = 0
  #records = 0
  #acknowledged = 0

  /** Creates the file; throws where that is not possible. */
  constructor(path: string, onRemoved: (segment: Segment) => void) {
    this.path = path
    this.#onRemoved = onRemoved
    this.#descriptor = openSync(path, createFlags, 0o600)
    this.#inode = fstatSync(this.#descriptor).ino
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Records written so far. */
  get records(): number {
    return this.#records
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Appends all of `frames`, or throws and leaves the file as it was. */
  append(frames: readonly Buffer[]): void {
    const bytes = Buffer.concat(this.#bytes === 0 ? [header, ...frames] : frames)
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#descriptor, bytes, written)
    } catch (error) {
      this.#cutBack()
      throw error
    }
    this.#bytes += bytes.length
    this.#records += frames.length
    if (this.#bytes >= fullSegmentBytes) this.seal()
  }

  /** One more of its records needs no keeping; with the last one the file is removed. */
  acknowledge(): void {
    this.#acknowledged += 1
    if (this.#acknowledged === this.#records) this.remove()
  }

  /** False where somebody has taken the file away. Asked after a write: whoever takes it later takes that write along. */
  isInPlace(): boolean {
    try {
      return lstatSync(this.path).ino === this.#inode
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return code !== 'ENOENT' && code !== 'ENOTDIR'
    }
  }

  /** Nothing will be appended any more. */
  seal(): void {
    if (this.#state !== 'open') return
    this.#state = 'sealed'
    closeSync(this.#descriptor)
  }

  /** Removes the file, if it is still there. Never throws. */
  remove(): void {
    if (this.#state === 'removed') return
    removeFile(this.path)
    this.forget()
  }

  /** The file is not this process's any more, and stays as it is. */
  forget(): void {
    if (this.#state === 'removed') return
    this.seal()
    this.#state = 'removed'
    this.#onRemoved(this)
  }

  // What is left of a frame would do no harm, but the next one shall not cost a reader a search.
  #cutBack(): void {
    try {
      ftruncateSync(this.#descriptor, this.#bytes)
    } catch {
      this.seal()
    }
  }
}

/**
 * The frames of a segment, and its size; undefined where the file is not there any more. Throws where it cannot be read, and where it
 * was not written by this version.
 */
export function readSegment(path: string): (FramesRead & { readonly bytes: number }) | undefined {
  const bytes = readBytes(path)
  return bytes && { ...readFrames(bytes.subarray(headerBytes)), bytes: bytes.length }
}

/** All that is in a segment, none where the file is not there any more. Throws as `readSegment` does. */
export function readPieces(path: string): readonly Piece[] {
  return [...piecesOf((readBytes(path) ?? Buffer.alloc(0)).subarray(headerBytes))]
}

/**
 * Takes out of a segment that nobody writes what `isUnwanted` says, frames and pieces that cannot be read, at once or not
 * at all; a segment without frames is removed. Returns how many pieces that were. Throws as `readSegment` does.
 */
export function cutSegment(path: string, isUnwanted: (piece: Piece) => boolean): number {
  const bytes = readBytes(path)
  if (bytes === undefined) return 0
  const pieces = [...piecesOf(bytes.subarray(headerBytes))]
  const rest = pieces.filter((piece) => !isUnwanted(piece))
  if (rest.length === 0) removeFile(path)
  else if (rest.length < pieces.length) {
    const part = path + partSuffix
    writeFileSync(part, Buffer.concat([bytes.subarray(0, headerBytes), ...rest.map((piece) => piece.bytes)]), {
      flag: 'wx',
      mode: 0o600,
    })
    renameSync(part, path)
  }
  return pieces.length - rest.length
}

function readBytes(path: string): Buffer | undefined {
  let descriptor: number
  try {
    descriptor = openSync(path, readFlags)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { size } = fstatSync(descriptor)
    if (size > largestSegmentBytes) throw new Error('it is larger than any segment')
    const bytes = readFileSync(descriptor)
    if (isOfOtherVersion(bytes)) throw new Error('another version wrote it')
    return bytes
  } finally {
    closeSync(descriptor)
  }
}

/** Removes a file, if it is there. Never throws. */
export function removeFile(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // It is found again later, and its records are known then.
  }
}

const header = createHeader()

function createHeader(): Buffer {
  const bytes = Buffer.alloc(headerBytes)
  bytes.write('tlspool')
  bytes.writeUInt32LE(formatVersion, 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12)
  return bytes
}

// A damaged header tells no version, and the frames tell themselves whether they can be read.
function isOfOtherVersion(bytes: Buffer): boolean {
  if (bytes.length < headerBytes || bytes.toString('latin1', 0, 7) !== 'tlspool') return false
  return crc32(bytes.subarray(0, 12)) === bytes.readUInt32LE(12) && bytes.readUInt32LE(8) !== formatVersion
}
