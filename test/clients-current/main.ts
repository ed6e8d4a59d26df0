import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * npm run test:current-clients [-- package@version ...] [test ...]
 *
 * Runs the tests of the clients against their current majors, or the given versions, which it installs in a directory
 * of its own. Those need Node 22; on an older one it fetches Node 24.
 */

const root = fileURLToPath(new URL('../..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'tokenledger-clients-'))
const versions = process.argv.slice(2).filter((argument) => /.@/.test(argument))
const tests = process.argv.slice(2).filter((argument) => !/.@/.test(argument))

try {
  process.exitCode = runTests()
} finally {
  rmSync(directory, { recursive: true, force: true })
}

function runTests(): number {
  copyFileSync(new URL('package.json', import.meta.url), join(directory, 'package.json'))
  const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  execFileSync('npm', ['install', ...options, ...versions], { cwd: directory, stdio: 'inherit' })
  const node = findNode()
  process.stdout.write(`Node ${execFileSync(node, ['--version'], { encoding: 'utf8' })}${installed().join('\n')}\n`)
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const config = fileURLToPath(new URL('vitest.config.ts', import.meta.url))
  const environment = { ...process.env, CLIENTS_DIRECTORY: directory }
  const run = spawnSync(node, [vitest, 'run', '--config', config, ...tests], {
    cwd: root,
    stdio: 'inherit',
    env: environment,
  })
  return run.status ?? 1
}

function findNode(): string {
  if (Number.parseInt(process.versions.node, 10) >= 22) return process.execPath
  const print = ['node', '--print', 'process.execPath']
  return execFileSync('npx', ['--yes', '--package=node@24', ...print], { encoding: 'utf8' }).trim()
}

function installed(): string[] {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  return Object.keys(manifest.dependencies).map((name) => {
    const { version } = JSON.parse(readFileSync(join(directory, 'node_modules', name, 'package.json'), 'utf8'))
    return `  ${name} ${version}`
  })
}
