import { Argument, Command, Option } from 'commander'
import type { UsageGroupQuery } from '../analytics/usage-by.js'
import type { UsageRange, UsageSums } from '../analytics/usage-sums.js'
import { createUsageReports, type UsageReports } from '../create-usage-reports.js'
import { dayColumns, groupColumns, modelColumns, providerColumns } from './usage-columns.js'
import { addQueryFlags, parseLimit, toQuery } from './usage-flags.js'
import { asCount, asUsd, type Column, renderCsv, renderTable } from './usage-table.js'
import { withDatabase } from './with-database.js'

type ReportFlags = UsageGroupQuery & { readonly json?: true; readonly csv?: true }

/** What a kind of report prints: its result as it is, and its lines in columns. */
type Report = {
  readonly result: object
  readonly range: UsageRange
  readonly totals: UsageSums
  readonly table: string
  readonly csv: string
}

const kinds = ['daily', 'models', 'users', 'operations', 'providers'] as const
type Kind = (typeof kinds)[number]

/** `tokenledger report [kind]`: what was used, as a table, CSV or JSON. */
export function createReportCommand(): Command {
  const command = new Command('report')
    .description('what was used and what it cost')
    .addArgument(new Argument('[kind]', 'a line for each day, model, ...').choices(kinds).default('daily'))
  return addQueryFlags(command, '30d')
    .option('--limit <n>', 'how many lines; what is beyond them is one more (not of daily)', parseLimit)
    .addOption(new Option('--csv', 'print CSV').conflicts('json'))
    .option('--json', 'print one JSON document')
    .action(runReport)
}

async function runReport(kind: Kind, flags: ReportFlags): Promise<void> {
  const report = await withDatabase((pool) => makeReport(createUsageReports({ pool }), kind, toQuery(flags)))
  if (flags.json) console.log(JSON.stringify(report.result))
  else if (flags.csv) console.log(report.csv)
  else console.log(`${report.table}\n\n${describeTotals(report)}`)
}

async function makeReport(reports: UsageReports, kind: Kind, query: UsageGroupQuery): Promise<Report> {
  switch (kind) {
    case 'daily': {
      const { limit, ...rest } = query
      const { totals } = await reports.getUsageTotals(withoutOrder(rest))
      const series = await reports.getUsageByPeriod('day', rest)
      return present({ ...series, totals }, dayColumns, series.points)
    }
    case 'models': {
      const models = await reports.getUsageBy('model', query)
      return present(models, modelColumns, models.groups)
    }
    case 'users': {
      const users = await reports.getUsageBy('user', query)
      return present(users, groupColumns('user'), users.groups)
    }
    case 'operations': {
      const operations = await reports.getOperationStats(query)
      return present(operations, groupColumns('operation'), operations.groups)
    }
    case 'providers': {
      const { limit, ...rest } = query
      const comparison = await reports.compareProviders(withoutOrder(rest))
      return present(comparison, providerColumns, comparison.providers)
    }
  }
}

function withoutOrder({ order, ...query }: UsageGroupQuery) {
  return query
}

function present<Row>(
  result: { readonly range: UsageRange; readonly totals: UsageSums },
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Report {
  const table = rows.length === 0 ? 'no calls' : renderTable(columns, rows)
  return { result, range: result.range, totals: result.totals, table, csv: renderCsv(columns, rows) }
}

function describeTotals({ range, totals }: Report): string {
  const { requests, costUsd, unpriced, unknown } = totals
  const from = range.firstDay ?? range.from ?? 'the first call'
  const to = range.lastDay ?? range.to ?? 'now'
  const left = [unpriced > 0 && `${asCount(unpriced)} unpriced`, unknown > 0 && `${asCount(unknown)} unknown`]
  const gaps = left.filter(Boolean).join(', ')
  return `${from} to ${to}, ${range.timeZone}: ${asCount(requests)} requests, ${asUsd(costUsd)}${gaps && ` (${gaps})`}`
}
