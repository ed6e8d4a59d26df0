import { Command } from 'commander'
import type { UsageGroupQuery } from '../analytics/usage-by.js'
import { createUsageReports } from '../create-usage-reports.js'
import { groupColumns, modelColumns } from './usage-columns.js'
import { addQueryFlags, parseLimit, toQuery } from './usage-flags.js'
import { renderTable } from './usage-table.js'
import { withDatabase } from './with-database.js'

/** `tokenledger top`: the users and the models that are used the most, today. */
export function createTopCommand(): Command {
  return addQueryFlags(new Command('top').description('the top users and the top models of today'), '1d')
    .option('--limit <n>', 'how many of each', parseLimit, 10)
    .option('--json', 'print one JSON document')
    .action(runTop)
}

async function runTop(flags: UsageGroupQuery & { readonly json?: true }): Promise<void> {
  const query = toQuery(flags)
  const { users, models } = await withDatabase(async (pool) => {
    const reports = createUsageReports({ pool })
    return { users: await reports.getUsageBy('user', query), models: await reports.getUsageBy('model', query) }
  })
  if (flags.json) console.log(JSON.stringify({ users, models }))
  else if (users.groups.length === 0) console.log('no calls')
  else console.log(`${renderTable(groupColumns('user'), users.groups)}\n\n${renderTable(modelColumns, models.groups)}`)
}
