import { Command, Option } from 'commander'
import { readConfig } from '../config.js'
import { type ErasureReceipt, eraseUser } from '../history/erase-user.js'
import { findUserData, type UserData } from '../history/user-data.js'
import { type ErasureVerification, verifyErasure } from '../history/verify-erasure.js'
import { confirm } from './confirm.js'
import { withDatabase } from './with-database.js'

type EraseFlags = {
  readonly user: string
  readonly anonymize?: true
  readonly verify?: true
  readonly dryRun?: true
  readonly yes?: true
  readonly json?: true
}

type Pool = Parameters<typeof eraseUser>[0]

/** `tokenledger erase`: erases a user, or looks for what is left of one; then it exits with 3 where something is. */
export function createEraseCommand(): Command {
  return new Command('erase')
    .description('erase a user, and print a receipt (exit code 3, of --verify: something is left)')
    .requiredOption('--user <name>', 'who, as in user_email; case and surrounding blanks make no difference')
    .option('--anonymize', 'keep the rows and sums under a name that tells nothing')
    .addOption(new Option('--verify', 'erase nothing, look for what is left').conflicts(['anonymize', 'dryRun']))
    .option('--dry-run', 'count only')
    .option('--yes', 'do not ask')
    .option('--json', 'print the result as JSON')
    .action(runErase)
}

async function runErase(flags: EraseFlags): Promise<void> {
  const { spoolDir } = readConfig()
  await withDatabase((pool) => (flags.verify ? runVerify : runErasure)(pool, flags, spoolDir))
}

async function runErasure(pool: Pool, flags: EraseFlags, spoolDir: string | undefined): Promise<void> {
  const { user, anonymize, dryRun, yes, json } = flags
  const found = await findUserData(pool, user, { spoolDir })
  if (dryRun) {
    console.log(json ? JSON.stringify(found) : `${describeFound(found)}; nothing was changed`)
    return
  }
  const question = `${anonymize ? 'Anonymize' : 'Erase'} ${describeFound(found)}, for good?`
  if (!(await confirm(question, { yes }))) {
    console.error('tokenledger: nothing was changed')
    process.exitCode = 1
    return
  }
  const receipt = await eraseUser(pool, user, { spoolDir, anonymize })
  console.log(json ? JSON.stringify(receipt) : describeReceipt(receipt))
}

async function runVerify(pool: Pool, { user, json }: EraseFlags, spoolDir: string | undefined): Promise<void> {
  const verification = await verifyErasure(pool, user, { spoolDir })
  console.log(json ? JSON.stringify(verification) : describeVerification(verification))
  if (!verification.isComplete) process.exitCode = 3
}

function describeFound({ spellings, rows, dailySums, deadLetters, spool }: UserData): string {
  const names = spellings.length === 0 ? 'no spelling' : spellings.map((name) => JSON.stringify(name)).join(', ')
  const spooled = spool === null ? '' : `, ${spool.records + spool.inUse} records in the spool`
  return `${rows} rows, ${dailySums} daily sums, ${deadLetters} dead letters${spooled} (stored as ${names})`
}

function describeReceipt(receipt: ErasureReceipt): string {
  const { userHash, erasedAt, anonymizedAs, rows, dailySums, deadLetters, spool } = receipt
  return [
    line(anonymizedAs === null ? 'erased' : 'anonymized', erasedAt),
    line('user hash', userHash),
    ...(anonymizedAs === null ? [] : [line('now named', anonymizedAs)]),
    line('rows', String(rows)),
    line('daily sums', String(dailySums)),
    line('dead letters', anonymizedAs === null ? String(deadLetters) : `${deadLetters} removed`),
    line('spool', spool === null ? notLookedAt : describeSpool(spool)),
  ].join('\n')
}

function describeVerification(verification: ErasureVerification): string {
  const { erasedAt, rows, rowsSince, dailySums, deadLetters, mentions, spool, isComplete } = verification
  return [
    line('erased', erasedAt ?? 'never'),
    line(
      'rows',
      `${rows} left${rowsSince === 0 ? '' : `; ${rowsSince} of calls since then, which are recorded again`}`,
    ),
    line('daily sums', `${dailySums} left`),
    line('dead letters', `${deadLetters} left`),
    line('mentions', mentions === null ? 'not looked for: the user has no "@"' : `${mentions} in what is of others`),
    line('spool', spool === null ? notLookedAt : describeSpool(spool)),
    line('result', isComplete ? 'nothing is left' : 'something is left'),
  ].join('\n')
}

const notLookedAt = 'not looked at: TOKEN_LOG_SPOOL_DIR is not set here'

function describeSpool({ records, inUse, unreadable }: NonNullable<ErasureReceipt['spool']>): string {
  return [
    String(records),
    ...(inUse > 0 ? [`${inUse} held by running processes, which will be refused when they are written`] : []),
    ...(unreadable > 0 ? [`${unreadable} segments cannot be read`] : []),
  ].join('; ')
}

function line(label: string, text: string): string {
  return `${label.padEnd(14)}${text}`
}
