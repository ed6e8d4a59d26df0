import { Command, InvalidArgumentError } from 'commander'
import { TokenLedgerError } from '../errors.js'
import { type DeadLetter, type RetryResult, readDeadLetters, retryDeadLetters } from '../postgres/dead-letters.js'
import { withDatabase } from './with-database.js'

type ListFlags = { readonly limit: number; readonly json?: true }
type RetryFlags = { readonly id?: string; readonly dryRun?: true; readonly json?: true }

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** `tokenledger dead-letters list` and `retry`: the records that the table refused. Retry exits with 3 where some stay. */
export function createDeadLettersCommand(): Command {
  const command = new Command('dead-letters').description('the records that the table refused, kept whole')
  command
    .command('list')
    .description('print them, the oldest first')
    .option('--limit <n>', 'how many at most', toLimit, 100)
    .option('--json', 'print them as JSON')
    .action(runList)
  command
    .command('retry')
    .description('write them again, never twice (exit code 3: some are refused again)')
    .option('--id <uuid>', 'only the one with this event_id', toEventId)
    .option('--dry-run', 'count them only')
    .option('--json', 'print the result as JSON')
    .action(runRetry)
  return command
}

async function runList({ limit, json }: ListFlags): Promise<void> {
  const letters = await withDatabase(async (pool) => {
    const found: DeadLetter[] = []
    for await (const page of readDeadLetters(pool)) {
      found.push(...page.slice(0, limit - found.length))
      if (found.length === limit) break
    }
    return found
  })
  if (json) console.log(JSON.stringify(letters))
  else if (letters.length === 0) console.log('no dead letters')
  else
    for (const { eventId, failedAt, code, reason } of letters)
      console.log(`${failedAt}  ${eventId}  ${code}  ${reason}`)
}

async function runRetry({ id, dryRun, json }: RetryFlags): Promise<void> {
  const result = await withDatabase((pool) => retryDeadLetters(pool, { eventId: id, mode: dryRun ? 'count' : 'send' }))
  if (id !== undefined && result.found === 0) {
    throw new TokenLedgerError(
      'TOKENLEDGER_NOT_FOUND',
      `There is no dead letter ${id}. tokenledger dead-letters list shows them.`,
    )
  }
  console.log(json ? JSON.stringify(result) : describe(result, dryRun ? 'to send again, nothing was changed' : 'found'))
  if (result.refused > 0) process.exitCode = 3
}

function describe({ found, written, dropped, refused, refusals }: RetryResult, meaning: string): string {
  const reasons = refusals.map(({ reason, records }) => `  ${records}: ${reason}`)
  const gone = dropped > 0 ? `, ${dropped} of erased users or pruned days removed` : ''
  return [`${found} ${meaning}; ${written} written${gone}, ${refused} refused again`, ...reasons].join('\n')
}

function toLimit(text: string): number {
  const limit = Number(text)
  if (!/^\d+$/.test(text) || limit < 1 || limit > 10_000) {
    throw new InvalidArgumentError('It has to be a whole number from 1 to 10000.')
  }
  return limit
}

function toEventId(text: string): string {
  if (!uuid.test(text)) throw new InvalidArgumentError('It has to be a UUID.')
  return text.toLowerCase()
}
