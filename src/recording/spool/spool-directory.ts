import { randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { formatOwner, type Liveness, type Owner, type OwnerState, parseOwner } from './owner.js'
import { partSuffix, removeFile, Segment } from './segment.js'

/** What is in the directory. */
export type Survey = {
  /** Of all segments, whosever they are, and of the damaged ones that were set aside. */
  readonly bytes: number
  /** Names of the segments that nobody will write any more, the oldest of each owner first. */
  readonly orphans: readonly string[]
  /** Names of all other segments. */
  readonly inUse: readonly string[]
}

const segmentPattern = /^(.+)-([0-9a-f]{8})-(\d{6,})\.spool$/
const leaseSuffix = '.lease'
const nobody = 'free'
const badName = 'bad'
const leaseMs = 10 * 60_000
const writableByOthers = 0o022

/**
 * The directory of all segments of the processes of one machine. A segment's name says whose it is, so that a rename is
 * all it takes to make it one's own (of several who try, the first succeeds) or nobody's.
 */
export class SpoolDirectory {
  readonly path: string
  readonly #liveness: Liveness
  readonly #owner: string
  // Two loggers of one process, and two threads, never give the same name.
  readonly #token = randomBytes(4).toString('hex')
  readonly #lease: string
  readonly #badPath: string
  #count = 0

  constructor(path: string, liveness: Liveness) {
    this.path = path
    this.#liveness = liveness
    this.#owner = formatOwner(liveness.self)
    this.#lease = join(path, this.#owner + leaseSuffix)
    this.#badPath = join(path, badName)
  }

  /** Creates a segment, and the directory before it where it is missing. Throws where the directory is not safe to use. */
  create(onRemoved: (segment: Segment) => void): Segment {
    requireOwnDirectory(this.path)
    return new Segment(join(this.path, this.#nextName(this.#owner)), onRemoved)
  }

  /**
   * Looks through the directory, if there is one, and removes leases and parts that nobody needs. Throws where it is not safe
   * to use.
   */
  survey(): Survey {
    if (!exists(this.path)) return { bytes: 0, orphans: [], inUse: [] }
    requireOwnDirectory(this.path)
    const names = readdirSync(this.path).sort()
    const segments = names.filter((name) => segmentPattern.test(name))
    for (const name of names) if (name.endsWith(leaseSuffix)) this.#removeIdleLease(name, segments)
    // A process may have thousands of segments: it is looked up once.
    const states = new Map<string, OwnerState>()
    const stateOf = (owner: Owner) => {
      const key = formatOwner(owner)
      const state = states.get(key) ?? this.#liveness.stateOf(owner)
      states.set(key, state)
      return state
    }
    const parts = names.filter((name) => name.endsWith(partSuffix) && this.#isOrphan(name, stateOf))
    for (const name of parts) removeFile(join(this.path, name))
    const orphans = new Set(segments.filter((name) => this.#isOrphan(name, stateOf)))
    return {
      bytes: segments.reduce((sum, name) => sum + (this.#stat(name)?.size ?? 0), this.#badBytes()),
      orphans: [...orphans],
      inUse: segments.filter((name) => !orphans.has(name)),
    }
  }

  /** Removes what a process left behind that ended while it replaced a segment. */
  removeParts(): void {
    if (!exists(this.path)) return
    requireOwnDirectory(this.path)
    for (const name of readdirSync(this.path)) if (name.endsWith(partSuffix)) removeFile(join(this.path, name))
  }

  /** Whether nobody will write this segment any more. */
  isOrphan(name: string): boolean {
    return this.#isOrphan(name, (owner) => this.#liveness.stateOf(owner))
  }

  /** Makes a segment this process's own and returns its new path; undefined where somebody else was faster. */
  claim(name: string): string | undefined {
    this.renewLease()
    const path = join(this.path, this.#nextName(this.#owner))
    return move(join(this.path, name), path) ? path : undefined
  }

  /**
   * Makes a segment of this process nobody's: any process may take it, at once. Returns its path then; undefined where it
   * is gone. Never throws.
   */
  release(path: string): string | undefined {
    const released = join(this.path, this.#nextName(nobody))
    try {
      return move(path, released) ? released : undefined
    } catch {
      // Its name says whose it is: others will see when this process has ended.
      return path
    }
  }

  /**
   * Keeps a damaged segment for people to look at, where no process reads it, and returns its new path. Where all those
   * together would take more than `maxBytes` it is removed. Never throws.
   */
  setAside(path: string, maxBytes: number): string | undefined {
    try {
      requireOwnDirectory(this.#badPath)
      const bytes = this.#badBytes() + (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0)
      const kept = join(this.#badPath, basename(path))
      if (bytes <= maxBytes && move(path, kept)) return kept
    } catch {
      // It is removed rather than read again and again.
    }
    removeFile(path)
    return undefined
  }

  /** Paths of the damaged segments that were set aside. */
  damagedPaths(): string[] {
    if (!exists(this.#badPath)) return []
    requireOwnDirectory(this.#badPath)
    const names = readdirSync(this.#badPath).filter((name) => segmentPattern.test(name))
    return names.map((name) => join(this.#badPath, name))
  }

  /** Tells processes of other containers, who cannot see this one, that it runs. */
  renewLease(): void {
    const now = new Date()
    try {
      utimesSync(this.#lease, now, now)
    } catch {
      createFile(this.#lease)
    }
  }

  endLease(): void {
    removeFile(this.#lease)
  }

  #nextName(owner: string): string {
    this.#count += 1
    return `${owner}-${this.#token}-${String(this.#count).padStart(6, '0')}.spool`
  }

  #isOrphan(name: string, stateOf: Liveness['stateOf']): boolean {
    const ownerText = ownerTextOf(name)
    if (ownerText === nobody) return true
    const owner = parseOwner(ownerText)
    return owner !== undefined && this.#isGone(name, owner, stateOf(owner))
  }

  #isGone(name: string, owner: Owner, state: OwnerState): boolean {
    if (state !== 'unknown') return state === 'ended'
    const lastSign = Math.max(this.#modifiedAt(name), this.#modifiedAt(formatOwner(owner) + leaseSuffix))
    return Date.now() - lastSign > leaseMs
  }

  #removeIdleLease(name: string, segments: readonly string[]): void {
    const ownerText = name.slice(0, -leaseSuffix.length)
    const owner = parseOwner(ownerText)
    if (owner === undefined || segments.some((segment) => ownerTextOf(segment) === ownerText)) return
    if (this.#isGone(name, owner, this.#liveness.stateOf(owner))) removeFile(join(this.path, name))
  }

  #badBytes(): number {
    return this.damagedPaths().reduce((sum, path) => sum + (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0), 0)
  }

  #modifiedAt(name: string): number {
    return this.#stat(name)?.mtimeMs ?? 0
  }

  #stat(name: string) {
    return lstatSync(join(this.path, name), { throwIfNoEntry: false })
  }
}

// A part has the name of the segment whose place it was to take.
function ownerTextOf(name: string): string {
  const segment = name.endsWith(partSuffix) ? name.slice(0, -partSuffix.length) : name
  return segmentPattern.exec(segment)?.[1] ?? ''
}

// What is written there must reach nobody else, and nobody else may plant records there.
function requireOwnDirectory(path: string): void {
  if (!exists(path)) mkdirSync(path, { recursive: true, mode: 0o700 })
  const found = lstatSync(path)
  if (found.isSymbolicLink()) throw new Error('it is a symbolic link')
  if (!found.isDirectory()) throw new Error('it is no directory')
  if (found.uid !== process.geteuid?.()) throw new Error('it belongs to another user')
  if ((found.mode & writableByOthers) !== 0) throw new Error('other users may write there; chmod 700 it')
}

function move(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function createFile(path: string): void {
  try {
    writeFileSync(path, '', { flag: 'wx', mode: 0o600 })
  } catch {
    // The next renewal tries again.
  }
}
