import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/postgres/migrator.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

type Call = {
  readonly at: number
  readonly user: string
  readonly model: string
  readonly input: number
  readonly output: number
}

const dayMs = 86_400_000
const hourMs = 3_600_000
// Half an hour from where the windows of 7 and 30 days end, so that no call leaves them while the test runs.
const start = Date.now() - hourMs / 2
const calls: Call[] = fc.sample(
  fc.record({
    at: fc.integer({ min: 0, max: 40 * 24 }).map((hours) => start - hours * hourMs),
    user: fc.constantFrom('ann@example.com', 'bob@example.com', 'cy@example.com', 'anonymous'),
    model: fc.constantFrom('gpt-4o', 'claude-sonnet-4-5', 'llama3.2'),
    input: fc.integer({ min: 0, max: 2_000_000_000 }),
    output: fc.integer({ min: 0, max: 2_000_000_000 }),
  }),
  400,
)
const inputOf = (group: readonly Call[]) => group.reduce((sum, { input }) => sum + input, 0)
const outputOf = (group: readonly Call[]) => group.reduce((sum, { output }) => sum + output, 0)
const tokensOf = (group: readonly Call[]) => inputOf(group) + outputOf(group)
const dayOf = ({ at }: Call) => new Date(at).toISOString().slice(0, 10)
const since = (days: number) => calls.filter(({ at }) => at >= Date.now() - days * dayMs)

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase({ template: 'empty' })
  await database.query(await readFile('sql/simple_token_table.sql', 'utf8'))
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
    select to_timestamp(at / 1000.0), "user", model, input, output, 'chat'
    from json_to_recordset($1) as calls (at bigint, "user" text, model text, input int, output int)`,
    [JSON.stringify(calls)],
  )
})
afterAll(() => database.drop())

const dailyUsage = groups(since(30), (call) => `${dayOf(call)} ${call.user}`)
  .sort(
    ([a, groupA], [b, groupB]) =>
      b.slice(0, 10).localeCompare(a.slice(0, 10)) || tokensOf(groupB) - tokensOf(groupA) || (a < b ? -1 : 1),
  )
  .map(([key, group]) => ({
    date: key.slice(0, 10),
    user_email: key.slice(11),
    total_input: inputOf(group),
    total_output: outputOf(group),
    total_requests: group.length,
  }))
const mostUsedModels = groups(since(7), ({ model }) => model)
  .sort(([a, groupA], [b, groupB]) => groupB.length - groupA.length || (a < b ? -1 : 1))
  .map(([model, group]) => ({
    model_name: model,
    usage_count: group.length,
    total_input_tokens: inputOf(group),
    total_output_tokens: outputOf(group),
  }))
const activity = groups(calls, ({ user }) => user)
  .sort(([userA, a], [userB, b]) => tokensOf(b) - tokensOf(a) || (userA < userB ? -1 : 1))
  .map(([user, group]) => ({
    user_email: user,
    total_requests: group.length,
    total_input: inputOf(group),
    total_output: outputOf(group),
    first_request: Math.min(...group.map(({ at }) => at)),
    last_request: Math.max(...group.map(({ at }) => at)),
  }))

// In this order: the migration is for good.
for (const table of ['original', 'migrated'] as const) {
  test(`the documented queries give what was used, from the ${table} table`, async () => {
    if (table === 'migrated') await migrate(database.pool)

    expect(await run('daily-usage-per-user')).toEqual(dailyUsage)
    expect(await run('most-used-models')).toEqual(mostUsedModels)
    expect(await run('user-activity-summary')).toEqual(activity)
  })
}

async function run(name: string): Promise<object[]> {
  const sql = await readFile(`sql/queries/${name}.sql`, 'utf8')
  const client = await database.pool.connect()
  try {
    await client.query("set time zone 'UTC'")
    const { rows } = await client.query(`select row_to_json(result) as row from (${sql.trim().slice(0, -1)}) as result`)
    return rows.map(({ row }) => ({
      ...row,
      ...('first_request' in row && {
        first_request: Date.parse(row.first_request),
        last_request: Date.parse(row.last_request),
      }),
    }))
  } finally {
    client.release(true)
  }
}

function groups(rows: readonly Call[], keyOf: (call: Call) => string): [string, Call[]][] {
  const found = new Map<string, Call[]>()
  for (const row of rows) found.set(keyOf(row), [...(found.get(keyOf(row)) ?? []), row])
  return [...found]
}
