import { TRPCError } from '@trpc/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createUsageReports, type UsageReports } from '../../src/create-usage-reports.js'
import { usageRouter } from '../../src/server/router.js'
import type { Viewer } from '../../src/server/viewer.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const ann = 'ann@example.com'
const bob = 'bob@example.com'
const viewers: Record<string, Viewer | undefined> = {
  nobody: undefined,
  ann: { role: 'user', user: ann },
  bob: { role: 'user', user: bob },
  admin: { role: 'admin' },
}

type Outcome = 'all' | 'own' | 'UNAUTHORIZED' | 'FORBIDDEN' | 'NOT_FOUND'
type Expectation = {
  /** Asks for what is Bob's, where the procedure can be asked for somebody's. */
  readonly input: (bobsCall: number) => unknown
  readonly outcomes: Record<keyof typeof viewers, Outcome>
}

const everybodys: Expectation['outcomes'] = { nobody: 'UNAUTHORIZED', ann: 'own', bob: 'own', admin: 'all' }
const asksForBob = { user: bob }

/** What each procedure answers to whom. A procedure without an entry fails the test. */
const expectations: Record<string, Expectation> = {
  viewer: { input: () => undefined, outcomes: everybodys },
  totals: { input: () => asksForBob, outcomes: everybodys },
  breakdown: { input: () => ({ ...asksForBob, by: 'user' }), outcomes: everybodys },
  series: { input: () => ({ ...asksForBob, period: 'day', by: 'user' }), outcomes: everybodys },
  latencies: { input: () => ({ ...asksForBob, by: 'user' }), outcomes: everybodys },
  providers: { input: () => asksForBob, outcomes: everybodys },
  calls: { input: () => asksForBob, outcomes: everybodys },
  callDetails: { input: (id) => ({ id }), outcomes: { ...everybodys, ann: 'NOT_FOUND' } },
  recommendations: { input: () => asksForBob, outcomes: everybodys },
  monthProjection: { input: () => asksForBob, outcomes: everybodys },
  userStats: { input: () => asksForBob, outcomes: everybodys },
  balance: { input: () => ({ ...asksForBob, allowance: { allowanceTokens: 1e9 } }), outcomes: everybodys },
  gaps: { input: () => ({}), outcomes: { nobody: 'UNAUTHORIZED', ann: 'FORBIDDEN', bob: 'FORBIDDEN', admin: 'all' } },
}

let database: TestDatabase
let reports: UsageReports
let bobsCall: number

beforeAll(async () => {
  database = await createTestDatabase()
  reports = createUsageReports({ databaseUrl: database.connectionString })
  // Whole seconds: the digits of a fraction could be those of somebody's counts.
  const insert = `insert into token_usage_logs
      (timestamp, user_email, model_name, provider, operation, input_tokens, output_tokens, request_type, cost_estimate, duration_ms)
    values (date_trunc('second', now()), $1, $2, $3, $4, $5, 1, 'chat', $6, $5) returning id`
  for (let call = 0; call < 3; call++)
    await database.query(insert, [ann, 'model-of-ann', 'provider-of-ann', 'op-ann', 111, 0.001])
  for (let call = 0; call < 5; call++) {
    const [row] = await database.query(insert, [bob, 'model-of-bob', 'provider-of-bob', 'op-bob', 7777, 0.5])
    bobsCall = row?.id
  }
})
afterAll(async () => {
  await reports.close()
  await database.drop()
})

describe('the procedures', () => {
  it('have an entry each in the table of who may see what', () => {
    expect(Object.keys(usageRouter._def.procedures).sort()).toEqual(Object.keys(expectations).sort())
  })

  const cases = Object.entries(expectations).flatMap(([procedure, { input, outcomes }]) =>
    Object.entries(outcomes).map(([who, outcome]) => ({ procedure, who, outcome, input })),
  )
  it.each(cases)('$procedure answers $who with: $outcome', async ({ procedure, who, outcome, input }) => {
    const asked = ask(procedure, viewers[who], input(bobsCall))

    if (outcome === 'all' || outcome === 'own') {
      const text = JSON.stringify(await asked)
      expect(text).toBeDefined()
      if (who === 'ann') expect(text).not.toMatch(/bob|7777|7778|38885|38890/)
      if (who === 'bob') expect(text).not.toMatch(/ann@|of-ann|111\b/)
    } else await expect(asked).rejects.toMatchObject({ code: outcome })
  })

  it('show an admin whom the query is about, and a user nobody else', async () => {
    const about = async (who: string) => (await caller(viewers[who]).totals({ user: bob })).totals.requests

    expect([await about('admin'), await about('bob'), await about('ann')]).toEqual([5, 5, 3])
  })

  it('give a thousand groups a line of their own at most, and the others one together', async () => {
    await database.query(
      `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type)
      select '2020-01-01', 'user-' || n, 'm', 1, 1, 'chat' from generate_series(1, 1001) as n`,
    )
    const about = { since: '2020-01-01', until: '2020-01-01', by: 'user' } as const

    const { groups } = await caller(viewers.admin).breakdown(about)
    const { points } = await caller(viewers.admin).series({ ...about, period: 'day' })
    const few = await caller(viewers.admin).breakdown({ ...about, limit: 2 })
    const inProcess = await reports.getUsageBy('user', { since: '2020-01-01', until: '2020-01-01' })
    await database.query(`delete from token_usage_logs where timestamp = '2020-01-01'`)

    for (const lines of [groups, points]) {
      expect(lines).toHaveLength(1001)
      expect(lines.filter(({ group }) => group === null)).toMatchObject([{ requests: 1 }])
    }
    expect(few.groups).toHaveLength(3)
    expect(inProcess.groups).toHaveLength(1001)
    expect(inProcess.groups.filter(({ group }) => group === null)).toEqual([])
  })

  it('only read', () => {
    const types = Object.values(usageRouter._def.procedures).map((procedure) => procedure._def.type)

    expect(new Set(types)).toEqual(new Set(['query']))
  })

  it('answer a range that ends in eight thousand years', async () => {
    await expect(ask('totals', viewers.admin, { since: '2026-01-01', until: '9999-12-31' })).resolves.toMatchObject({
      range: { lastDay: '9999-12-31' },
    })
  })

  it.each([
    ['totals', { since: 'yesterday' }],
    ['totals', { since: '2026-03-02', until: '2026-03-01' }],
    ['breakdown', { by: 'user', limit: 1001 }],
    ['breakdown', { by: 'user; drop table token_usage_logs' }],
    ['calls', { cursor: 'x' }],
    ['callDetails', { id: -1 }],
    ['totals', { nobodyKnowsThis: 1 }],
    ['userStats', {}],
  ])('answer %s %o with what is wrong about it', async (procedure, input) => {
    await expect(ask(procedure, viewers.admin, input)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })
})

function caller(viewer: Viewer | undefined) {
  return usageRouter.createCaller({ viewer, reports })
}

async function ask(procedure: string, viewer: Viewer | undefined, input: unknown): Promise<unknown> {
  const procedures = caller(viewer) as unknown as Record<string, (input: unknown) => Promise<unknown>>
  const found = procedures[procedure]
  if (found === undefined) throw new TRPCError({ code: 'NOT_IMPLEMENTED' })
  return found(input)
}
