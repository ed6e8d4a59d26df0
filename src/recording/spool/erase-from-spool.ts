import { join, resolve } from 'node:path'
import { toLowerCase, userKey } from '../../usage/user-key.js'
import type { Piece } from './frame.js'
import { createLiveness, type Liveness } from './owner.js'
import { cutSegment, readPieces, removeFile } from './segment.js'
import { SpoolDirectory } from './spool-directory.js'
import { restoreRecord } from './spooled-record.js'

/** Whose records, all spellings alike, and of calls up to when (milliseconds since 1970; whenever, if left out). */
export type SpoolSubject = { readonly user: string; readonly until?: number | undefined }

/** How much of a user is in a spool. */
export type SpoolFindings = {
  /** Records in segments that nobody writes any more, and damaged segments that name the user. */
  readonly records: number
  /** Records in segments of running processes, which nobody else may change: these write them, and remove them then. */
  readonly inUse: number
  /** Segments that cannot be read, or were written by another version. */
  readonly unreadable: number
}

/** Looks for a user's records in the spool in `path`. Throws where it is not safe to use. */
export function searchSpool(path: string, subject: SpoolSubject, liveness?: Liveness): SpoolFindings {
  return new UserSearch(path, subject, liveness).count()
}

/**
 * Takes a user's records out of the segments that nobody writes any more, each segment at once or not at all, and leaves
 * everything else in them. Damaged ones that were set aside are removed, all of them: nobody can tell whose the bytes are that
 * cannot be read. Returns what was taken out, and what was left to its processes.
 */
export function eraseFromSpool(path: string, subject: SpoolSubject, liveness?: Liveness): SpoolFindings {
  return new UserSearch(path, subject, liveness).erase()
}

class UserSearch {
  readonly #directory: SpoolDirectory
  readonly #key: string
  readonly #until: number

  constructor(path: string, { user, until = Number.POSITIVE_INFINITY }: SpoolSubject, liveness?: Liveness) {
    this.#directory = new SpoolDirectory(resolve(path), liveness ?? createLiveness())
    this.#key = userKey(user)
    this.#until = until
  }

  count(): SpoolFindings {
    return this.#visit((name) => this.#count(name))
  }

  erase(): SpoolFindings {
    this.#directory.removeParts()
    const findings = this.#visit((name) => this.#cut(name))
    for (const path of this.#directory.damagedPaths()) removeFile(path)
    return findings
  }

  #visit(visitOrphan: (name: string) => number): SpoolFindings {
    const { orphans, inUse } = this.#directory.survey()
    let unreadable = 0
    const attempt = (work: () => number) => {
      try {
        return work()
      } catch {
        unreadable += 1
        return 0
      }
    }
    const records = sumOf(orphans.map((name) => attempt(() => visitOrphan(name))))
    const kept = sumOf(inUse.map((name) => attempt(() => this.#count(name))))
    const damaged = this.#directory.damagedPaths().filter((path) => attempt(() => this.#countMention(path)) > 0)
    return { records: records + damaged.length, inUse: kept, unreadable }
  }

  #countMention(path: string): number {
    return Number(readPieces(path).some((piece) => this.#isOfUser(piece)))
  }

  #count(name: string): number {
    return readPieces(join(this.#directory.path, name)).filter((piece) => this.#isOfUser(piece)).length
  }

  #cut(name: string): number {
    // Only what has to be changed is taken from those who are about to write it.
    const path = this.#count(name) > 0 ? this.#directory.claim(name) : undefined
    if (path === undefined) return 0
    try {
      return cutSegment(path, (piece) => this.#isOfUser(piece))
    } finally {
      this.#directory.release(path)
    }
  }

  #isOfUser({ payload, bytes }: Piece): boolean {
    const record = payload && restoreRecord(payload)
    if (record) return userKey(record.userEmail) === this.#key && record.timestamp <= this.#until
    return toLowerCase(bytes.toString()).includes(this.#key)
  }
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
