#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { loadDotEnv } from '../config.js'
import { createBackfillCommand } from './backfill.js'
import { createDeadLettersCommand } from './dead-letters.js'
import { createEraseCommand } from './erase.js'
import { createExportCommand } from './export.js'
import { createImportCommand } from './import.js'
import { createMigrateCommand } from './migrate.js'
import { createPricesCommand } from './prices.js'
import { createPruneCommand } from './prune.js'
import { createReportCommand } from './report.js'
import { createRepriceCommand } from './reprice.js'
import { createSplitCountsCommand } from './split-counts.js'
import { createTopCommand } from './top.js'
import { createUserTokenCommand } from './user-token.js'
import { createVerifyCommand } from './verify.js'

const program = new Command('tokenledger')
  .description('Every LLM call, who made it and what it cost: one row each, in your own PostgreSQL.')
  .showHelpAfterError('(tokenledger --help lists the commands)')
const commands = [
  createMigrateCommand(),
  createReportCommand(),
  createTopCommand(),
  createVerifyCommand(),
  createDeadLettersCommand(),
  createUserTokenCommand(),
  createPricesCommand(),
  createRepriceCommand(),
  createSplitCountsCommand(),
  createBackfillCommand(),
  createImportCommand(),
  createPruneCommand(),
  createEraseCommand(),
  createExportCommand(),
]
for (const command of commands) program.addCommand(command)
for (const command of [program, ...commands, ...commands.flatMap((parent) => parent.commands)]) command.exitOverride()

// Whoever reads the output may have seen enough of it: `tokenledger report | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

try {
  loadDotEnv()
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
}

// Commander has written its own messages by the time it throws.
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  console.error(`tokenledger: ${error instanceof Error ? error.message : String(error)}`)
  return 1
}
