import { readFileSync, readlinkSync } from 'node:fs'
import { findProcess, isRunning } from '../process-identity.js'

/** The one process that writes a segment, told from every other one that ever ran on this machine. */
export type Owner = {
  readonly bootId: string
  readonly pidNamespace: string
  readonly pid: number
  readonly startedAt: string
}

/** `unknown`: a process of another container, whose pids mean nothing here. */
export type OwnerState = 'running' | 'ended' | 'unknown'

/** Tells who this process is and what became of others. */
export interface Liveness {
  readonly self: Owner
  stateOf(owner: Owner): OwnerState
}

const ownerPattern = /^([0-9a-z]+)\.(\d+)\.(\d+)\.([0-9A-Za-z]+)$/

/** The owner as a part of a file's name. */
export function formatOwner({ bootId, pidNamespace, pid, startedAt }: Owner): string {
  return `${bootId}.${pidNamespace}.${pid}.${startedAt}`
}

/** The owner that a part of a file's name tells; undefined where it tells none. */
export function parseOwner(text: string): Owner | undefined {
  const [, bootId, pidNamespace, pid, startedAt] = ownerPattern.exec(text) ?? []
  if (bootId === undefined || pidNamespace === undefined || startedAt === undefined) return undefined
  return { bootId, pidNamespace, pid: Number(pid), startedAt }
}

/** Liveness by what the system tells of its processes. Throws where it does not even tell of this one. */
export function createLiveness(): Liveness {
  const process = findProcess(globalThis.process.pid)
  if (process === undefined) throw new Error('this system does not tell processes apart')
  const self = { ...process, bootId: readBootId(), pidNamespace: readPidNamespace() }
  return { self, stateOf: (owner) => stateOf(owner, self) }
}

function stateOf(owner: Owner, self: Owner): OwnerState {
  if (owner.bootId !== self.bootId) return 'ended'
  if (owner.pidNamespace !== self.pidNamespace) return 'unknown'
  if (isRunning(owner)) return 'running'
  // Where not even this process can be found (out of file descriptors, say) it means nothing that the other cannot.
  return isRunning(self) ? 'ended' : 'unknown'
}

// Without Linux's /proc the start time is a date, which tells boots apart as well.
function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)
  } catch {
    return 'none'
  }
}

function readPidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    return '0'
  }
}
