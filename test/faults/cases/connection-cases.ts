import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultCase } from '../fault-case.js'
import { startWorker } from '../fleet.js'
import { requireDefault } from '../oracle.js'

/** Faults of the way to the database. */
export const connectionCases: readonly FaultCase[] = [
  {
    id: 'C0',
    title: 'without any fault all rows arrive',
    run: async ({ database, scale }) => {
      const options = { databaseUrl: database.connectionString }
      const worker = startWorker({ name: 'calm', does: 'log', options })
      await worker.started
      await sleep(scale === 'short' ? 500 : 5000)
      await worker.finish()

      const verdict = await requireDefault(database, [worker])
      return { ...verdict, note: `${worker.stats.at(-1)?.retries} failed writes` }
    },
    isShort: true,
  },
]
