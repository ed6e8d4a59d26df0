import { Command, Option } from 'commander'
import { TokenLedgerError } from '../errors.js'
import { exportUser } from '../history/export-user.js'
import { CsvExport, JsonExport } from '../history/format-export.js'
import { withDatabase } from './with-database.js'

type ExportFlags = { readonly user: string; readonly csv?: true }

/** `tokenledger export`: prints all that is stored about a user. */
export function createExportCommand(): Command {
  return new Command('export')
    .description('print all that is stored about a user: rows, daily sums and dead letters')
    .requiredOption('--user <name>', 'who, as in user_email; case and surrounding blanks make no difference')
    .addOption(new Option('--json', 'as one JSON document (the default)').conflicts('csv'))
    .option('--csv', 'as one CSV file, whose first column names the table')
    .action(runExport)
}

async function runExport({ user, csv }: ExportFlags): Promise<void> {
  // Without a listener a reader that goes away would end the process with a stack.
  process.stdout.on('error', () => {})
  const format = csv ? new CsvExport() : new JsonExport()
  await withDatabase((pool) => exportUser(pool, user, (page) => print(format.textOf(page))))
  await print(format.end)
}

function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error) resolve()
      else reject(new TokenLedgerError('TOKENLEDGER_OUTPUT', 'The output was closed before all of it was written.'))
    })
  })
}
