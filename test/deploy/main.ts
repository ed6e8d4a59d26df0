import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createDatabaseOn, type TestDatabase } from '../support/test-database.js'
import { startTestServer, type TestServer } from '../support/test-server.js'
import { copyPackages, copyProject } from './copy-project.js'
import {
  adminToken,
  checkCommands,
  checkHealth,
  checkMetrics,
  checkPage,
  checkReport,
  checkSignIn,
  checkStop,
  sendRecords,
} from './deployed-app.js'
import { type Host, hostEnvironment, readProcfile, run, startWeb } from './host.js'
import { compile, installPackage } from './package-consumer.js'
import { findDevelopmentPackages } from './packages.js'

/*
 * npm run test:deploy
 *
 * Goes the whole way of a deploy as a host goes it, on a real PostgreSQL: the tracked files in a directory of their own,
 * build, prune, release, web, SIGTERM. Then installs the package in an empty project and uses it there.
 */

const root = fileURLToPath(new URL('../..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'tokenledger-deploy-'))
// As many as trigger a write.
const rows = 10
let current = 'the start'

process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const startedAt = performance.now()
const outcome = await runAll().then(
  () => 'passed',
  (error) => {
    console.error(error instanceof Error ? error.message : error)
    return `failed at: ${current}`
  },
)
console.log(`deploy on Node ${process.versions.node}: ${outcome} (${seconds(startedAt)})`)
process.exit(outcome === 'passed' ? 0 : 1)

async function runAll(): Promise<void> {
  const server = await startTestServer()
  console.log(server.description)
  try {
    const database = await createDatabaseOn(server, { template: 'empty' })
    const settings = {
      DATABASE_URL: database.connectionString,
      TOKENLEDGER_ADMIN_TOKEN: adminToken,
      PORT: '0',
      // Nothing but the end of the process writes the last rows.
      TOKEN_LOG_FLUSH_INTERVAL_MS: '600000',
    }
    const host = { directory: join(directory, 'app'), environment: hostEnvironment(settings) }
    await build(host)
    const { release = '', web: command = '' } = readProcfile(host.directory)
    await step(`release: ${release}`, () => run(host, release))
    await serve({ host, command, database })
    await step('release, once more', async () => {
      const output = await run(host, release)
      assert.match(output, /^nothing to do; /)
      return output
    })
    await database.drop()
    await usePackage(host, server)
  } finally {
    await server.stop()
  }
}

async function build(host: Host): Promise<void> {
  await step('copy the project', () => copyProject(root, host.directory))
  await step('copy its packages', () => copyPackages(join(root, 'node_modules'), join(host.directory, 'node_modules')))
  await step('npm run build', () => run(host, 'npm run build').then(() => undefined))
  await step('npm prune --omit=dev', async () => {
    await run(host, 'npm prune --omit=dev')
    const left = findDevelopmentPackages(host.directory)
    assert.deepEqual(
      left.filter(({ wantedBy }) => wantedBy.length === 0),
      [],
    )
    return left.map(({ name, wantedBy }) => `${name} stays, for ${wantedBy.join(', ')}`).join('; ')
  })
}

async function usePackage(app: Host, server: TestServer): Promise<void> {
  const database = await createDatabaseOn(server, { template: 'empty' })
  const environment = hostEnvironment({ DATABASE_URL: database.connectionString })
  const consumer = { directory: join(directory, 'consumer'), environment }
  await step('install the package in an empty project', () => installPackage(app, consumer))
  await step('compile a program and the snippets of the documents', () => compile(app, consumer))
  await step('npx tokenledger --help', async () =>
    assert.match(await run(consumer, 'npx tokenledger --help'), /migrate/),
  )
  await step('npx tokenledger migrate', () => run(consumer, 'npx tokenledger migrate'))
  await step('run the program', () => run(consumer, 'node out/run.js'))
  await database.drop()
}

type Serving = { readonly host: Host; readonly command: string; readonly database: TestDatabase }

async function serve({ host, command, database }: Serving): Promise<void> {
  const web = await step(`web: ${command}`, () => startWeb(host, command))
  await step('health', () => checkHealth(web))
  await step('the page', () => checkPage(web))
  await step('sign in', () => checkSignIn(web))
  await step('send records', () => sendRecords(web, 'a-model', rows))
  await step('the report', () => checkReport(web, 'a-model', rows))
  await step('metrics', () => checkMetrics(web))
  await step('report, verify and the self-test', () => checkCommands(host, 'a-model', rows))
  await step('SIGTERM, twice', () => checkStop(web, database))
}

/** Does one step and prints its line, with the result where that is a text. */
async function step<Result>(name: string, work: () => Result): Promise<Awaited<Result>> {
  current = name
  const stepStartedAt = performance.now()
  const result = await work()
  const detail = typeof result === 'string' && result !== '' ? `: ${result.trim()}` : ''
  console.log(`${name} (${seconds(stepStartedAt)})${detail}`)
  return result
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}
