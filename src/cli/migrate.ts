import { Command } from 'commander'
import { type MigrationResult, migrate } from '../postgres/migrator.js'
import { withDatabase } from './with-database.js'

type MigrateFlags = { readonly timeZone?: string; readonly json?: true }

/** `tokenledger migrate`: brings the schema of `DATABASE_URL` up to date. */
export function createMigrateCommand(): Command {
  return new Command('migrate')
    .description('create the tables, or bring them up to date')
    .option('--time-zone <name>', 'the reporting time zone, which decides what a day is (Europe/Berlin)')
    .option('--json', 'print the result as JSON')
    .action(runMigrate)
}

async function runMigrate(flags: MigrateFlags): Promise<void> {
  await withDatabase(async (pool) => {
    const onProgress = (message: string) => console.error(`tokenledger: ${message}`)
    const result = await migrate(pool, { timeZone: flags.timeZone, onProgress })
    console.log(flags.json ? JSON.stringify(result) : describe(result))
  })
}

function describe({ applied, alreadyApplied, timeZone }: MigrationResult): string {
  const change = applied.length === 0 ? 'nothing to do' : `applied ${applied.join(', ')}`
  return `${change}; ${applied.length + alreadyApplied} migrations in all, reporting time zone ${timeZone}`
}
