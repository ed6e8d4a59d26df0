import { Command } from 'commander'
import {
  type DailySumsDifference,
  type Refusals,
  repairDailySums,
  type Verification,
  verify,
} from '../postgres/verify.js'
import { printable } from './printable.js'
import { withDatabase } from './with-database.js'

type VerifyFlags = { readonly repair?: true; readonly json?: true }

const shareToWarnAt = 0.8
const setClocks = 'set the clocks of the machines that wrote them by NTP'

/** `tokenledger verify`: whether the daily sums are what the rows add up to. Exits with 3 where they are not. */
export function createVerifyCommand(): Command {
  return new Command('verify')
    .description('compare the daily sums with the rows, and count what is missing (exit code 3: they differ)')
    .option('--repair', 'count the sums anew where they differ, and compare again; writers wait meanwhile')
    .option('--json', 'print the result as JSON')
    .action(runVerify)
}

async function runVerify({ repair, json }: VerifyFlags): Promise<void> {
  await withDatabase(async (pool) => {
    let result = await verify(pool)
    const before = result.differences
    if (repair && before > 0) {
      console.error(`tokenledger: ${before} of the daily sums differ from the rows; counting all anew`)
      await repairDailySums(pool)
      result = await verify(pool)
    }
    const repaired = before - result.differences
    console.log(json ? JSON.stringify({ ...result, repaired }) : describe(result, repaired))
    if (result.differences > 0) process.exitCode = 3
  })
}

function describe(result: Verification, repaired: number): string {
  const { rows, rowsWithoutEventId, rowsInTheFuture, deadLetters, losses } = result
  return [
    line('rows', `${rows}, of which ${rowsWithoutEventId} without an event_id`),
    ...(rowsInTheFuture === 0
      ? []
      : [line('future', `rows with a time that has not come: ${rowsInTheFuture}; ${setClocks}`)]),
    ...describeSums(result, repaired),
    ...describeRefusals(result.refusals),
    line('dead letters', deadLetters === 0 ? 'none' : `${deadLetters} (tokenledger dead-letters list)`),
    ...(losses.length === 0 ? [line('losses', 'none')] : []),
    ...losses.map(({ reason, records, inputTokens, outputTokens, firstAt, lastAt }) =>
      line(
        'losses',
        `${reason}: ${records} records, ${inputTokens} input and ${outputTokens} output tokens, ${firstAt} to ${lastAt}`,
      ),
    ),
    line('ids', describeIds(result.idSequence)),
  ].join('\n')
}

function describeSums({ differences, firstDifferences }: Verification, repaired: number): string[] {
  const repairs = repaired > 0 ? ` (${repaired} repaired)` : ''
  if (differences === 0) return [line('daily sums', `equal to the rows${repairs}`)]
  const more = differences - firstDifferences.length
  return [
    line('daily sums', `${differences} differ from the rows${repairs}; tokenledger verify --repair counts them anew`),
    ...firstDifferences.map(describeDifference),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
}

function describeRefusals({ prunedBefore, unprunedRows, erasures, expired, erased }: Refusals): string[] {
  const unpruned = unprunedRows > 0 ? `; ${unprunedRows} rows are still there: run tokenledger prune again` : ''
  const pruned = `rows of before ${prunedBefore}; ${expired} came too late and were refused${unpruned}`
  const lateCalls = `${erasures} erasures of users; ${erased} rows of theirs came later and were refused`
  return [
    ...(prunedBefore === null ? [] : [line('pruned', pruned)]),
    ...(erasures === 0 ? [] : [line('erased', lateCalls)]),
  ]
}

function describeDifference({ day, modelName, userEmail, columns }: DailySumsDifference): string {
  const values = columns.map(({ name, kept, counted }) => `${name} ${kept ?? 'none'}, rows ${counted ?? 'none'}`)
  return `  ${[day, modelName, userEmail].map(printable).join('  ')}: ${values.join('; ')}`
}

function describeIds(sequence: Verification['idSequence']): string {
  if (sequence === undefined) return 'their sequence is not visible'
  const used = `${(sequence.share * 100).toFixed(1)} % of ${sequence.highestId} used`
  return sequence.share < shareToWarnAt
    ? used
    : `WARNING: ${used}; make token_usage_logs.id a bigint before they run out`
}

function line(label: string, text: string): string {
  return `${label.padEnd(14)}${text}`
}
