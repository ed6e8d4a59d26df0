// `npm run test:faults`: every case in full, those that mostly wait side by side and the others one after another, and one
// table at the end.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { startTestServer, type TestServer } from '../support/test-server.js'
import { allCases } from './all-cases.js'
import type { FaultCase, FaultResult } from './fault-case.js'
import { runCase } from './run-case.js'

type Finished = Partial<FaultResult> & {
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly seconds: number
  /** Why it failed or was skipped. */
  readonly reason?: string
}

/** What a stopped run has done so far. */
type Run = { readonly seed: number; readonly finished: Record<string, Finished> }

const resultsFile = '.data/fault-results.json'
const longestCaseMs = 30 * 60_000

const { values } = parseArgs({
  options: { again: { type: 'boolean' }, only: { type: 'string' }, seed: { type: 'string' } },
})
const only = values.only?.split(',')
const run = continueOrBegin()
const cases = allCases.filter(({ id }) => (only ? only.includes(id) : !(id in run.finished)))

// Removes what has been started, too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
const server = await startTestServer()
console.log(`seed ${run.seed}, ${server.description}`)
await Promise.all(cases.filter(({ mostlyWaits }) => mostlyWaits).map(runAndKeep))
for (const faultCase of cases) if (!faultCase.mostlyWaits) await runAndKeep(faultCase)
await server.stop()
printTable(only ? cases : allCases)
process.exit(Object.values(run.finished).some(({ outcome }) => outcome === 'failed') ? 1 : 0)

/** The stopped run, unless it was complete or another is wanted. */
function continueOrBegin(): Run {
  mkdirSync('.data', { recursive: true })
  const seed = Number(values.seed ?? Date.now() % 1_000_000)
  if (values.again || values.seed || !existsSync(resultsFile)) return { seed, finished: {} }
  const stopped: Run = JSON.parse(readFileSync(resultsFile, 'utf8'))
  const isComplete = allCases.every(({ id }) => id in stopped.finished)
  return isComplete && !only ? { seed, finished: {} } : stopped
}

async function runAndKeep(faultCase: FaultCase): Promise<void> {
  run.finished[faultCase.id] = await runAndTell(faultCase, server)
  writeFileSync(resultsFile, JSON.stringify(run, undefined, 2))
}

async function runAndTell(faultCase: FaultCase, server: TestServer): Promise<Finished> {
  const { id, title } = faultCase
  console.log(`${id}: ${title}`)
  const reason = faultCase.missing?.()
  if (reason) return { outcome: 'skipped', seconds: 0, reason }
  const startedAt = performance.now()
  const log = (line: string) => console.log(`   ${id}: ${line}`)
  const finished = await Promise.race([
    runCase(faultCase, { scale: 'full', seed: run.seed, server, log }).then((result) => ({
      ...result,
      outcome: 'passed' as const,
    })),
    sleep(longestCaseMs, undefined, { ref: false }).then(() => Promise.reject(new Error('it does not end'))),
  ]).catch((error: Error) => ({ outcome: 'failed' as const, reason: error.message }))
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  console.log(`   ${id} ${finished.outcome} in ${seconds} s: ${'note' in finished ? finished.note : finished.reason}`)
  return { ...finished, seconds }
}

function printTable(cases: readonly FaultCase[]): void {
  const table = new Table({
    head: ['id', 'case', 'announced', 'lost', 'twice', 's', 'outcome', 'note'],
    colWidths: [6, 48, 11, 8, 8, 6, 9, 64],
    wordWrap: true,
    style: { head: [], border: [] },
  })
  for (const { id, title } of cases) {
    const { announced = '', lost = '', twice = '', seconds, outcome, note, reason } = run.finished[id] as Finished
    table.push([id, title, announced, lost, twice, seconds, outcome, note ?? reason ?? ''])
  }
  console.log(table.toString())
  const count = (outcome: string) => cases.filter(({ id }) => run.finished[id]?.outcome === outcome).length
  console.log(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped; seed ${run.seed}`)
}
