import { spawnSync } from 'node:child_process'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { ConfigurationError } from '../errors.js'
import type { Account } from './embedded-binaries.js'

/** The places of one embedded server. */
export type EmbeddedHome = {
  /** Holds the data, the password and the log; the account may enter it. */
  readonly directory: string
  /** The PostgreSQL data directory; absent until the cluster is created. */
  readonly data: string
  /** Where a copy of the binaries may go. */
  readonly copyDirectory: string
  readonly account?: Account
}

const SHARED_DIRECTORY = '/var/lib/tokenledger'

/** Opens, or creates, the `postgres` folder of a data directory; a link to a place outside when only root can enter the latter. */
export function openHome(dataDirectory: string): EmbeddedHome {
  const base = resolve(dataDirectory)
  const entry = join(base, 'postgres')
  const isRoot = process.getuid?.() === 0
  mkdirSync(base, { recursive: true })
  if (!lstatSync(entry, { throwIfNoEntry: false })) createEntry(entry, isRoot ? findAccount() : undefined)
  if (isLinkToNothing(entry)) makeDirectory(readlinkSync(entry))

  const directory = realpathSync(entry)
  const data = join(directory, 'data')
  const account = isRoot ? (findOwner(data) ?? findAccount()) : undefined
  assertUsable({ directory, data, account })
  return { directory, data, account, copyDirectory: isRoot ? SHARED_DIRECTORY : base }
}

/** The superuser's password, made at random on first use; concurrent callers get the same one. */
export function readPassword({ directory, data }: EmbeddedHome): string {
  const path = join(directory, 'password')
  if (!existsSync(path)) {
    if (existsSync(data)) {
      throw new ConfigurationError(`${path} is missing. Put it back, or delete ${directory} to start without data.`)
    }
    createPassword(path)
  }
  return readFileSync(path, 'utf8').trim()
}

function createEntry(entry: string, account: Account | undefined): void {
  if (account === undefined || canEnter(resolve(entry, '..'), account)) {
    makeDirectory(entry)
    return
  }
  const key = createHash('sha256')
    .update(realpathSync(resolve(entry, '..')))
    .digest('hex')
    .slice(0, 16)
  const target = join(SHARED_DIRECTORY, key)
  makeDirectory(SHARED_DIRECTORY)
  makeDirectory(target)
  try {
    symlinkSync(target, entry)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** A strict umask must not lock the account out; what is secret inside has its own mode. */
function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true })
  if (process.getuid?.() === 0) chmodSync(path, 0o755)
}

function isLinkToNothing(path: string): boolean {
  return lstatSync(path).isSymbolicLink() && !existsSync(path)
}

function createPassword(path: string): void {
  const unfinished = `${path}.${randomUUID()}`
  writeFileSync(unfinished, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 })
  try {
    linkSync(unfinished, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(unfinished)
  }
}

/** PostgreSQL demands to run as the owner of its data, which root may have inherited from somebody else. */
function findOwner(data: string): Account | undefined {
  const stats = statSync(data, { throwIfNoEntry: false })
  return stats && stats.uid !== 0 ? { uid: stats.uid, gid: stats.gid } : undefined
}

/** An account of /etc/passwd (initdb insists on an entry there) that is not root: `nobody` where it exists. */
function findAccount(): Account {
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => uid > 0 && gid > 0)
  const account = accounts.find(({ name }) => name === 'nobody') ?? accounts[0]
  if (account) return { uid: account.uid, gid: account.gid }
  throw new ConfigurationError(
    'PostgreSQL refuses to run as root, and /etc/passwd names no other account. Add one, or set DATABASE_URL.',
  )
}

function assertUsable({ directory, data, account }: Omit<EmbeddedHome, 'copyDirectory'>): void {
  if (account && !canEnter(directory, account)) {
    throw new ConfigurationError(
      `PostgreSQL refuses to run as root, and uid ${account.uid} cannot enter ${directory}. ` +
        'Move that folder to a place open to all, or open the folders above it (chmod a+x).',
    )
  }
  const owner = statSync(data, { throwIfNoEntry: false })?.uid
  const uid = account?.uid ?? process.getuid?.()
  if (owner !== undefined && owner !== uid) {
    throw new ConfigurationError(
      `${data} belongs to uid ${owner}, and PostgreSQL would run as uid ${uid}. ` +
        `Start as the user who created it, or stop the server and run "chown -R ${uid} ${data}".`,
    )
  }
}

/** Asked of the kernel, because modes alone do not tell (access lists, mounts). */
function canEnter(directory: string, account: Account): boolean {
  const command = ['-c', 'cd "$1"', 'sh', directory]
  return spawnSync('/bin/sh', command, { ...account, cwd: '/', stdio: 'ignore' }).status === 0
}
