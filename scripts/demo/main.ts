import { Command, CommanderError } from 'commander'
import { loadDotEnv } from '../../src/config.js'
import { type DemoResult, runDemo } from './run-demo.js'

const maxProblems = 10
/** By convention 128 and the number of the signal. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

const program = new Command('npm run demo --')
  .description(
    'Makes 200 calls of models through an app that uses tokenledger, and compares the rows with what the provider counted. ' +
      'Uses the database of DATABASE_URL, from the environment or .env, else an embedded PostgreSQL in .data/.',
  )
  .option('--json', 'print one JSON document instead of tables')
  .addHelpText('after', '\nExit codes: 0 all rows are right, 1 some are not or the demo failed, 2 wrong usage')
  .exitOverride()

process.exitCode = await main()

async function main(): Promise<number> {
  const stop = new AbortController()
  let exitCode = 1
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      exitCode = exitCodes[signal]
      stop.abort()
    })
  }
  try {
    const { json } = program.parse().opts<{ json?: true }>()
    loadDotEnv()
    const result = await runDemo({ report: (message) => console.error(message), signal: stop.signal })
    print(result, json === true ? 'json' : 'text')
    return isRight(result) ? 0 : 1
  } catch (error) {
    // Commander has written its own messages by the time it throws.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (!stop.signal.aborted)
      console.error(`The demo failed: ${error instanceof Error ? error.message : String(error)}`)
    return exitCode
  }
}

function print({ reports, problems, ...numbers }: DemoResult, format: 'json' | 'text'): void {
  for (const problem of problems.slice(0, maxProblems)) console.error(problem)
  if (problems.length > maxProblems) console.error(`... and ${problems.length - maxProblems} more`)
  if (format === 'json') {
    console.log(JSON.stringify(numbers))
    return
  }
  const { calls, rows, missing, duplicated, different, costs } = numbers
  console.log(`\n${reports}`)
  console.log(
    `${costs.priced} calls cost $${costs.costUsd} by the list, ${costs.unpriced} have no price in it: ${costs.unpricedModels.join(', ')}`,
  )
  console.log(
    `${calls} calls made, ${rows} rows written, ${missing} missing, ${duplicated} duplicated, ${different} different`,
  )
}

function isRight({ missing, duplicated, different }: DemoResult): boolean {
  return missing + duplicated + different === 0
}
