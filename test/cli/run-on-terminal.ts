import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { bundleScript } from '../support/bundle-script.js'

/** Whether there is a way to give a process a terminal: the `script` command of util-linux. */
export const hasTerminal = spawnSync('script', ['--version']).stdout?.includes('util-linux') ?? false
if (!hasTerminal) console.log('Skipped: what is asked on a terminal, for want of the script command of util-linux')

/** Runs the command line on a terminal of its own, in `cwd`, and types `answer` when it asks. */
export async function runOnTerminal(
  args: string[],
  cwd: string,
  { answer, ...environment }: { readonly answer: string; readonly DATABASE_URL: string },
): Promise<{ readonly code: number; readonly output: string }> {
  const command = [process.execPath, bundleScript('src/cli/main.ts'), ...args].map((part) => `'${part}'`).join(' ')
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd,
    env: { PATH: process.env.PATH, TERM: 'xterm', ...environment },
  })
  let output = ''
  let isAnswered = false
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
    if (isAnswered || !output.includes('(yes/no) ')) return
    isAnswered = true
    child.stdin.write(answer)
  })
  const [code] = await once(child, 'close')
  return { code, output }
}
