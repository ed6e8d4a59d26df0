import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSeededRandom } from '../support/seeded-random.js'
import { createDatabaseOn } from '../support/test-database.js'
import type { TestServer } from '../support/test-server.js'
import type { FaultCase, FaultContext, FaultResult } from './fault-case.js'

export type Surroundings = Pick<FaultContext, 'scale' | 'log'> & {
  readonly seed: number
  readonly server: Pick<TestServer, 'url' | 'prefix'>
}

const directories = new Set<string>()

// Of a run that is stopped.
process.once('exit', () => directories.forEach(remove))

/** Runs one case with a database and a directory of its own, and removes both. */
export async function runCase({ id, run }: FaultCase, { seed, server, ...rest }: Surroundings): Promise<FaultResult> {
  const database = await createDatabaseOn(server)
  const temporaryDirectory = mkdtempSync(join(tmpdir(), `tokenledger-${id}-`))
  directories.add(temporaryDirectory)
  try {
    // The same numbers whichever cases ran before it.
    const random = createSeededRandom(seed + [...id].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 0))
    return await run({ ...rest, random, database, temporaryDirectory })
  } finally {
    remove(temporaryDirectory)
    await database.drop()
  }
}

function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  directories.delete(directory)
}
