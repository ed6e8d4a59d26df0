import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { bundleScript } from '../support/bundle-script.js'

export type CliRun = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** Runs the command line as a process of its own, in `cwd`, with no other environment than `environment` and PATH. */
export async function runCli(args: string[], cwd: string, environment: Record<string, string> = {}): Promise<CliRun> {
  const child = spawn(process.execPath, [bundleScript('src/cli/main.ts'), ...args], {
    cwd,
    env: { PATH: process.env.PATH, ...environment },
  })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code, stdout, stderr }
}
