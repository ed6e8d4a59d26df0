import { open } from 'node:fs/promises'
import { basename, extname, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { Command, InvalidArgumentError, Option } from 'commander'
import { readConfig } from '../config.js'
import { TokenLedgerError } from '../errors.js'
import type { ColumnMap, ImportLine } from '../history/import-line.js'
import { type ImportResult, importUsage } from '../history/import-usage.js'
import { readCsv } from '../history/read-csv.js'
import { readLiteLlm } from '../history/read-litellm.js'
import { readNdjson } from '../history/read-ndjson.js'
import { createPool } from '../postgres/pool.js'
import { createProgress } from './progress.js'
import { RejectFile } from './reject-file.js'
import { withDatabase } from './with-database.js'

type Format = 'ndjson' | 'csv' | 'litellm'
type ImportFlags = {
  readonly format?: Format
  readonly map: ColumnMap
  readonly table?: string
  readonly rejectFile?: string
  readonly dryRun?: true
  readonly json?: true
}
type Source = { readonly lines: AsyncIterable<ImportLine>; readonly close: () => Promise<void> }

const formatOfExtension: Readonly<Record<string, Format>> = { '.ndjson': 'ndjson', '.jsonl': 'ndjson', '.csv': 'csv' }

/** `tokenledger import`: calls that another program wrote down. Exits with 3 where lines were rejected. */
export function createImportCommand(): Command {
  return new Command('import')
    .description('add calls from NDJSON, CSV or the spend log of LiteLLM, each once (exit code 3: lines were rejected)')
    .argument('[file]', 'the file; stdin without one')
    .addOption(
      new Option('--format <format>', 'what it is (default: by the extension)').choices(['ndjson', 'csv', 'litellm']),
    )
    .option('--map <column=field>', 'which field a column is, as often as needed', addToMap, {})
    .option('--table <name>', 'the table of LiteLLM, in LITELLM_DATABASE_URL or else DATABASE_URL')
    .option('--reject-file <path>', 'where lines go that are not imported (default: <file>.rejected.ndjson)')
    .option('--dry-run', 'read and check everything, and import nothing')
    .option('--json', 'print the result as JSON')
    .action(runImport)
}

async function runImport(file: string | undefined, flags: ImportFlags, command: Command): Promise<void> {
  const format = flags.format ?? formatOfExtension[extname(file ?? '').toLowerCase()]
  if (format === undefined) command.error('error: --format says what is to be imported: ndjson, csv or litellm')
  if (format === 'litellm' && file !== undefined) command.error('error: --format litellm reads a table, and no file')
  const path = flags.rejectFile ?? `${format === 'litellm' ? 'litellm' : basename(file ?? 'import')}.rejected.ndjson`
  if (file !== undefined && resolve(path) === resolve(file))
    command.error('error: --reject-file names the file that is to be imported')
  const rejects = new RejectFile(path)
  const progress = createProgress()
  await withDatabase(async (pool) => {
    const source = format === 'litellm' ? openLiteLlm(flags.table) : await openFile(file, format, flags.map)
    try {
      const result = await importUsage(pool, source.lines, {
        mode: flags.dryRun ? 'dry-run' : 'run',
        onReject: (line) => rejects.add(line),
        onProgress: progress.report,
      })
      progress.end()
      console.log(flags.json ? JSON.stringify(result) : describe(result, rejects.path))
      if (result.rejected > 0) process.exitCode = 3
    } finally {
      progress.end()
      await rejects.close()
      await source.close()
    }
  })
}

async function openFile(file: string | undefined, format: 'ndjson' | 'csv', map: ColumnMap): Promise<Source> {
  const input = file === undefined ? process.stdin : await openForReading(file)
  const lines = format === 'csv' ? readCsv(input, map) : readNdjson(input, map)
  return { lines: explainReading(lines, file ?? 'stdin'), close: async () => void input.destroy() }
}

async function openForReading(file: string): Promise<Readable> {
  try {
    return (await open(file)).createReadStream()
  } catch (error) {
    throw notReadable(file, error)
  }
}

async function* explainReading(lines: AsyncIterable<ImportLine>, file: string): AsyncGenerator<ImportLine> {
  try {
    yield* lines
  } catch (error) {
    throw error instanceof TokenLedgerError ? error : notReadable(file, error)
  }
}

function notReadable(file: string, error: unknown): TokenLedgerError {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown }
  return new TokenLedgerError('TOKENLEDGER_NOT_FOUND', `${JSON.stringify(file)} cannot be read (${code ?? message}).`)
}

function openLiteLlm(table: string | undefined): Source {
  const { databaseUrl, liteLlmDatabaseUrl, sslMode, sslEnvironment } = readConfig()
  const pool = createPool({
    databaseUrl: liteLlmDatabaseUrl ?? databaseUrl ?? '',
    sslMode,
    sslEnvironment,
    maxConnections: 1,
  })
  return { lines: readLiteLlm(pool, table), close: () => pool.end() }
}

function describe({ mode, read, imported, present, rejected, refused }: ImportResult, path: string): string {
  const would = mode === 'dry-run' ? ' (dry run, nothing was imported)' : ''
  return [
    `read      ${read}`,
    `imported  ${imported}${would}`,
    `present   ${present}`,
    `rejected  ${rejected}${rejected > 0 ? `, with their reasons in ${path}` : ''}`,
    ...(refused > 0 ? [`refused   ${refused}, because their user was erased or their day pruned`] : []),
  ].join('\n')
}

function addToMap(text: string, map: ColumnMap): ColumnMap {
  const end = text.lastIndexOf('=')
  if (end < 1 || end === text.length - 1)
    throw new InvalidArgumentError('It has to be a column and a field: who=userEmail.')
  return { ...map, [text.slice(0, end)]: text.slice(end + 1) }
}
