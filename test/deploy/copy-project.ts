import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'

/** Copies what git tracks, as it stands in the working tree. */
export function copyTrackedFiles(from: string, to: string): void {
  const list = execFileSync('git', ['ls-files', '-z'], { cwd: from, encoding: 'utf8' })
  const paths = list.split('\0').filter((path) => path !== '' && existsSync(join(from, path)))
  for (const path of paths) cpSync(join(from, path), join(to, path))
}

/**
 * Gives a directory the same packages by hard links, in less than a second; false where the file system has none. npm
 * replaces the files of packages and never writes into them.
 */
export function linkPackages(from: string, to: string): boolean {
  try {
    linkTree(from, to)
    return true
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    rmSync(to, { recursive: true, force: true })
    return false
  }
}

function linkTree(from: string, to: string): void {
  mkdirSync(to)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) linkTree(source, target)
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    // npm's own list of what is installed, which it does write into.
    else if (entry.name === '.package-lock.json') copyFileSync(source, target)
    else linkSync(source, target)
  }
}
