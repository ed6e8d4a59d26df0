import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readFrames } from '../../src/recording/spool/frame.js'
import { startWorker } from './fleet.js'

const canMount = spawnSync('unshare', ['-m', 'true']).status === 0

it('keeps rows in memory when the disk of the spool is full, and leaves no half of one there', async (context) => {
  if (!canMount) context.skip('only root can mount a small file system')
  const directory = mkdtempSync(join(tmpdir(), 'tokenledger-full-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const spoolDir = join(directory, 'spool')
  const mount = `mount -t tmpfs -o size=256k,mode=700 tokenledger ${directory} && exec "$@"`
  const options = {
    databaseUrl: 'postgres://nobody@127.0.0.1:1/none',
    batchSize: 100_000,
    flushIntervalMs: 60_000,
    spoolDir,
  }

  const worker = startWorker({ name: 'full', does: 'fill', options }, ['unshare', '-m', 'sh', '-c', mount, 'sh'])
  onTestFinished(() => void worker.process.kill('SIGKILL'))
  await worker.started
  const [stats] = worker.stats
  const onDisk = readSegments(join(`/proc/${worker.process.pid}/root`, spoolDir))

  expect(stats).toMatchObject({ accepted: 1500, pending: 1500, dropped: 0 })
  expect(onDisk.damaged).toBe(0)
  expect(onDisk.ids.length).toBeGreaterThan(100)
  expect(onDisk.ids.length).toBeLessThan(1500)
  expect(onDisk.ids).toEqual(Array.from(onDisk.ids, (_, index) => `full-${index}`))
  expect(worker.stderr().match(/cannot be used: ENOSPC/g)).toHaveLength(1)
}, 60_000)

function readSegments(directory: string): { ids: string[]; damaged: number } {
  const names = readdirSync(directory).filter((name) => name.endsWith('.spool'))
  const found = names.sort().map((name) => readFrames(readFileSync(join(directory, name)).subarray(16)))
  const payloads = found.flatMap(({ payloads }) => payloads)
  return {
    ids: payloads.map((payload) => JSON.parse(String(payload)).responseId),
    damaged: found.reduce((sum, { damaged }) => sum + damaged, 0),
  }
}
