import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

/** What a host knows of an app: where it is, and its settings. */
export type Host = { readonly directory: string; readonly environment: Record<string, string> }

/** A web process, and where it listens. */
export type Web = { readonly child: ChildProcess; readonly url: string }

/** The settings of every process: those of a host, and this version of Node. */
export function hostEnvironment(settings: Record<string, string>): Record<string, string> {
  return {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: process.env.HOME ?? '',
    NODE_ENV: 'production',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    ...settings,
  }
}

/** The processes of the Procfile by their types. */
export function readProcfile(directory: string): Record<string, string> {
  const lines = readFileSync(join(directory, 'Procfile'), 'utf8').trim().split('\n')
  return Object.fromEntries(lines.map((line) => line.split(/: (.*)/s)))
}

/** Runs a command to its end and returns its output. Throws, with all that it wrote, where it does not exit with 0. */
export async function run(host: Host, command: string): Promise<string> {
  const child = start(host, command)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  if (code !== 0) throw new Error(`${command} exited with ${code}\n${stdout}${stderr}`)
  return stdout
}

/** Starts the web process and waits until it listens. It ends with this process at the latest. */
export async function startWeb(host: Host, command: string): Promise<Web> {
  // In the place of the shell, so that signals reach it.
  const child = start(host, `exec ${command}`)
  process.once('exit', () => child.kill('SIGKILL'))
  child.stderr.pipe(process.stderr)
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    const { msg, port } = JSON.parse(line)
    if (msg !== 'listening') continue
    child.stdout.resume()
    return { child, url: `http://127.0.0.1:${port}` }
  }
  throw new Error(`${command} ended before it listened\n${lines.join('\n')}`)
}

function start({ directory, environment }: Host, command: string) {
  return spawn('sh', ['-c', command], {
    cwd: directory,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
