import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { basename, join } from 'node:path'

/** Copies what git tracks, as it stands in the working tree; without git all that it would not ignore. Says which. */
export function copyProject(from: string, to: string): string {
  const tracked = findTrackedFiles(from)
  for (const path of tracked ?? []) cpSync(join(from, path), join(to, path))
  if (tracked) return `${tracked.length} tracked files`
  const ignored = readFileSync(join(from, '.gitignore'), 'utf8').split(/\/?\n/)
  cpSync(from, to, { recursive: true, filter: (path) => !['.git', ...ignored].includes(basename(path)) })
  return 'all files that .gitignore does not name, for git does not tell the tracked ones'
}

// There may be no git, or none that reads a directory of another user.
function findTrackedFiles(root: string): string[] | undefined {
  try {
    const list = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', stdio: 'pipe' })
    return list.split('\0').filter((path) => path !== '' && existsSync(join(root, path)))
  } catch {
    return undefined
  }
}

/**
 * Gives a project the installed packages of another one: by hard links in less than a second, or by copies where the
 * file system has no links. Says which. npm replaces the files of packages and never writes into them.
 */
export function copyPackages(from: string, to: string): string {
  try {
    copyTree(from, to, linkSync)
    return 'hard links'
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    rmSync(to, { recursive: true })
    copyTree(from, to, copyFileSync)
    return 'copies'
  }
}

function copyTree(from: string, to: string, copyFile: (from: string, to: string) => void): void {
  mkdirSync(to)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) copyTree(source, target, copyFile)
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    // npm's own list of what is installed, which it does write into.
    else if (entry.name === '.package-lock.json') copyFileSync(source, target)
    else copyFile(source, target)
  }
}
