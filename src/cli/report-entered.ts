import type { PricePlan } from '../pricing/place-prices.js'
import { describeTime } from '../pricing/token-price.js'
import { describePrice, toPriceRow } from './describe-price.js'

type ReportFlags = { readonly dryRun?: true | undefined; readonly json?: true | undefined }

/** Prints what was entered and what that ended; says on stderr how calls that have a cost already get the new one. */
export function reportEntered(plan: PricePlan, { dryRun, json }: ReportFlags): void {
  console.log(json ? JSON.stringify(toDocument(plan)) : describe(plan, dryRun ? ' (nothing was changed)' : ''))
  const [since] = plan.added.map(({ validFrom }) => validFrom).sort()
  if (dryRun || since === undefined || Date.parse(since) > Date.now() - 1000) return
  console.error(
    `tokenledger: calls that are recorded keep their cost; tokenledger reprice --since ${describeTime(since)} prices them anew`,
  )
}

function toDocument({ added, ended, unchanged }: PricePlan): object {
  return {
    entered: added.map(toPriceRow),
    ended: ended.map(({ price, validTo }) => ({ id: price.id, ...toPriceRow(price), valid_to: validTo })),
    unchanged,
  }
}

function describe({ added, ended, unchanged }: PricePlan, remark: string): string {
  return [
    ...ended.map(({ price, validTo }) => {
      const how = validTo === price.validFrom ? 'replaces' : `ends on ${describeTime(validTo)}`
      return `${how}  price ${price.id}, ${describePrice(price)}`
    }),
    ...added.map((price) => `enters  ${describePrice(price)}`),
    `${added.length} entered, ${ended.length} ended, ${unchanged} there already${remark}`,
  ].join('\n')
}
