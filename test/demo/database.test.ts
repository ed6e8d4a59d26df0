import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, expect, it, vi } from 'vitest'
import { openDatabase } from '../../scripts/demo/database.js'

const dataDirectory = mkdtempSync(join(tmpdir(), 'tokenledger-demo-'))
// Otherwise the account that runs PostgreSQL for root could not enter it.
chmodSync(dataDirectory, 0o755)

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(dataDirectory, { recursive: true, force: true, maxRetries: 5 })
})

it('stops its server only when the last demo that joined it has ended', async () => {
  vi.stubEnv('DATABASE_URL', '')
  const reports: string[] = []
  const report = (message: string) => reports.push(message)
  const options = { dataDirectory, report, signal: new AbortController().signal }
  const owner = await openDatabase(options)
  const guest = await openDatabase(options)

  const closing = owner.close()
  await expect.poll(() => reports.at(-1)).toBe('waiting for another demo that uses this PostgreSQL')
  const isUpForGuest = await isUp(guest.url)
  await guest.close()
  await closing

  expect(isUpForGuest).toBe(true)
  expect(await isUp(owner.url)).toBe(false)
})

async function isUp(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}
