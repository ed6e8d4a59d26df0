import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { encodeFrame } from '../../src/recording/spool/frame.js'
import { SpoolDirectory } from '../../src/recording/spool/spool-directory.js'
import { spoolRecord } from '../../src/recording/spool/spooled-record.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'
import { createSeededRandom } from '../support/seeded-random.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { killWorkers, recoverSpool, startWorker } from './fleet.js'
import { judge } from './oracle.js'

const kills = Number(process.env.SPOOL_KILLS ?? 20)
const seed = Number(process.env.SPOOL_SEED ?? Date.now() % 1_000_000)
const random = createSeededRandom(seed)
const minutes = 60_000
const canNest = spawnSync('unshare', ['-pf', 'true']).status === 0

let database: TestDatabase
let spoolDir: string

// Rows wait long enough to be in danger.
const options = () => ({ databaseUrl: database.connectionString, batchSize: 200, flushIntervalMs: 300, spoolDir })

beforeAll(async () => {
  database = await createTestDatabase()
})
beforeEach(async () => {
  await database.query('truncate token_usage_logs, token_usage_dead_letters, token_usage_losses')
  spoolDir = mkdtempSync(join(tmpdir(), 'tokenledger-kills-'))
})
afterEach(() => rmSync(spoolDir, { recursive: true, force: true }))
afterAll(() => database.drop())

describe('processes that are killed', () => {
  it(
    `lose no row of a turn that had ended and store none twice, in ${kills} kills`,
    async () => {
      const announced = await killWorkers({ kills, workers: 3, random, options: options() })
      await recoverSpool(options())
      const verdict = await judge(database, announced)

      console.log(`${kills} kills with the spool, seed ${seed}: ${JSON.stringify(verdict)}`)
      expect(verdict).toMatchObject({ lost: 0, twice: 0 })
      expect(verdict.rows).toBeGreaterThan(kills)
      expect(segments()).toEqual([])
    },
    10 * minutes + kills * 3000,
  )

  it(
    'lose rows without a spool, or this test could not see a loss',
    async () => {
      const announced = await killWorkers({
        kills: 3,
        workers: 3,
        random,
        options: { ...options(), spoolDir: undefined },
      })
      const verdict = await judge(database, announced)

      console.log(`3 kills in memory only, seed ${seed}: ${JSON.stringify(verdict)}`)
      expect(verdict.lost).toBeGreaterThan(0)
    },
    minutes,
  )
})

describe('what killed processes left behind', () => {
  it(
    'is stored once when four processes start on 100 segments together',
    async () => {
      const left = leaveSegments(100, 20)

      const stats = await Promise.all(Array.from({ length: 4 }, () => recoverSpool(options())))
      const verdict = await judge(database, left)

      expect(verdict).toMatchObject({ announced: 2000, rows: 2000, lost: 0, twice: 0 })
      expect(stats.reduce((sum, { recovered }) => sum + recovered, 0)).toBe(2000)
      expect(segments()).toEqual([])
    },
    minutes,
  )

  it(
    'is stored once although those who take it over are killed while they do',
    async () => {
      const left = leaveSegments(60, 50)
      const slow = { ...options(), maxBatchSize: 10 }

      for (let time = 0; time < 6; time++) {
        const worker = startWorker({ name: `replay${time}`, does: 'recover', options: slow })
        await worker.started
        await sleep(random.integer(0, 120))
        worker.process.kill('SIGKILL')
        await worker.ended
      }
      const before = segments().length
      await recoverSpool(options())

      expect(before).toBeGreaterThan(0)
      expect(await judge(database, left)).toMatchObject({ rows: 3000, lost: 0, twice: 0 })
    },
    minutes,
  )

  it(
    "is nobody else's while its process is only stopped",
    async () => {
      const worker = startWorker({
        name: 'stopped',
        does: 'log',
        options: { ...options(), flushIntervalMs: 60_000, batchSize: 100_000 },
      })
      onTestFinished(() => void worker.process.kill('SIGKILL'))
      await worker.started
      await vi.waitFor(() => expect(worker.announced.length).toBeGreaterThan(50), 10_000)
      worker.process.kill('SIGSTOP')
      const before = segments()

      const sweeper = startWorker({ name: 'sweeper', does: 'recover', options: options() })
      await sweeper.started
      await sleep(500)
      sweeper.process.kill('SIGKILL')
      await sweeper.ended
      const whileStopped = segments()
      worker.process.kill('SIGCONT')
      await sleep(200)
      worker.process.kill('SIGKILL')
      await worker.ended
      await recoverSpool(options())

      expect(whileStopped).toEqual(before)
      expect(await judge(database, worker.announced)).toMatchObject({ lost: 0, twice: 0 })
    },
    minutes,
  )

  it(
    'in another container is left alone for ten minutes, whatever its pid means here',
    async (context) => {
      if (!canNest) context.skip('only root can make a process namespace')
      const nested = ['unshare', '-pf', '--kill-child=SIGKILL', '--mount-proc']
      const idle = { ...options(), flushIntervalMs: 60_000, batchSize: 100_000 }
      const worker = startWorker({ name: 'nested', does: 'log', options: idle }, nested)
      onTestFinished(() => void worker.process.kill('SIGKILL'))
      await worker.started
      await vi.waitFor(() => expect(worker.announced.length).toBeGreaterThan(50), 10_000)
      worker.process.kill('SIGKILL')
      await worker.ended
      const before = segments()

      const sweeper = startWorker({ name: 'sweeper', does: 'recover', options: options() })
      await sweeper.started
      await sleep(500)
      sweeper.process.kill('SIGKILL')
      await sweeper.ended
      const afterwards = segments()
      const longAgo = Date.now() / 1000 - 11 * 60
      for (const name of readdirSync(spoolDir)) utimesSync(join(spoolDir, name), longAgo, longAgo)
      await recoverSpool(options())

      expect(before.length).toBeGreaterThan(0)
      expect(afterwards).toEqual(before)
      expect(await judge(database, worker.announced)).toMatchObject({ lost: 0, twice: 0 })
    },
    minutes,
  )
})

describe('a process that ends by itself', () => {
  it.each(['exit', 'exit at once', 'throw'] as const)(
    'leaves its rows to the next one, and says so: %s',
    async (does) => {
      const worker = startWorker({ name: does, does, options: { ...options(), flushIntervalMs: 60_000 } })
      await worker.ended

      await recoverSpool(options())

      expect(worker.stderr()).toContain('7 usage rows not written: they wait in the spool for the next start')
      expect(await judge(database, worker.announced)).toMatchObject({ announced: 7, rows: 7, lost: 0 })
    },
    minutes,
  )
})

function segments(): string[] {
  return readdirSync(spoolDir).filter((name) => name.endsWith('.spool'))
}

/** Segments of a process that ran before the machine was started. */
function leaveSegments(count: number, rows: number): string[] {
  const self = { bootId: '00000000', pidNamespace: '1', pid: 1, startedAt: '1' }
  const directory = new SpoolDirectory(spoolDir, { self, stateOf: () => 'running' })
  return Array.from({ length: count }, (_, segment) => {
    const ids = Array.from({ length: rows }, (_, row) => `left-${segment}-${row}`)
    const records = ids.map((responseId) => toUsageRecord(draftRecord({ modelName: 'm', responseId }, {}, Date.now())))
    const file = directory.create(() => {})
    file.append(records.map((record) => encodeFrame(spoolRecord(record))))
    file.seal()
    return ids
  }).flat()
}
