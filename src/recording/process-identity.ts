import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** One process, never mistaken for a later one that was given the same pid. */
export type ProcessIdentity = { readonly pid: number; readonly startedAt: string }

/** The running process with this pid; undefined when there is none, or only a zombie that nobody has reaped. */
export function findProcess(pid: number): ProcessIdentity | undefined {
  const { state, startedAt } = existsSync('/proc/self/stat') ? readProcStat(pid) : readPs(pid)
  return startedAt === '' || /^[ZX]/.test(state) ? undefined : { pid, startedAt }
}

/** Whether exactly this process still runs. */
export function isRunning({ pid, startedAt }: ProcessIdentity): boolean {
  return findProcess(pid)?.startedAt === startedAt
}

/** The command line of a process, its arguments joined by spaces; empty when there is no such process. */
export function readCommandLine(pid: number): string {
  if (existsSync('/proc/self/stat')) return readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
  return ps(pid, 'command=')
}

function readProcStat(pid: number): { state: string; startedAt: string } {
  const stat = readOrEmpty(`/proc/${pid}/stat`)
  // The second field is the command in parentheses and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startedAt: fields[19] ?? '' }
}

function readPs(pid: number): { state: string; startedAt: string } {
  const [state = '', ...started] = ps(pid, 'stat=,lstart=').trim().split(/\s+/)
  return { state, startedAt: started.join('').replaceAll(/\W/g, '') }
}

function ps(pid: number, columns: string): string {
  try {
    return execFileSync('/bin/ps', ['-ww', '-o', columns, '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { LC_ALL: 'C' },
    })
  } catch {
    return ''
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
