import type { ClientBase } from 'pg'
import type { BackfillTable, Quota } from './backfill-table.js'

/** What a user's quota was and is; decimal texts as PostgreSQL writes them. */
export type QuotaChange = {
  readonly user: string
  readonly before: string
  readonly after: string
  readonly tokens: string
}

export type UserSummary = {
  readonly users: number
  /** Users with a quota, and those without, whose tokens count nowhere. */
  readonly quotas: number
  readonly withoutQuota: number
}

const sums = 'tokenledger_backfill_users'
const cursor = 'tokenledger_backfill_quotas'
const pageSize = 1000

/** Opens a temporary table of tokens per user, in the caller's transaction: there may be as many users as rows. */
export async function openUserSums(client: ClientBase): Promise<void> {
  await client.query(`create temporary table ${sums} ("user" text primary key, tokens numeric not null) on commit drop`)
}

/** Adds to them; rows without a user are left out. */
export async function addToUserSums(
  client: ClientBase,
  rows: readonly { readonly user: string | null; readonly tokens: number }[],
): Promise<void> {
  await client.query(
    `insert into ${sums} as sums
    select "user", sum(tokens)
    from unnest($1::text[], $2::int8[]) as rows ("user", tokens)
    where "user" is not null
    group by "user"
    on conflict ("user") do update set tokens = sums.tokens + excluded.tokens`,
    [rows.map(({ user }) => user), rows.map(({ tokens }) => tokens)],
  )
}

/** How many users there are, and how many of them the quota table has. */
export async function countUsers(client: ClientBase, { quota }: BackfillTable): Promise<UserSummary> {
  const hasQuota = quota ? `exists (${quotaOf(quota)})` : 'false'
  const { rows } = await client.query<UserSummary>(
    `select
      count(*)::float8 as users,
      count(*) filter (where ${hasQuota})::float8 as quotas,
      count(*) filter (where ${quota ? `not ${hasQuota}` : 'false'})::float8 as "withoutQuota"
    from ${sums} as sums`,
  )
  return rows[0] ?? { users: 0, quotas: 0, withoutQuota: 0 }
}

/** Each quota with what it becomes, in the order of the users, in pages. */
export async function* readQuotaChanges(client: ClientBase, quota: Quota): AsyncGenerator<readonly QuotaChange[]> {
  const used = `coalesce(quotas.${quota.column.sql}, 0)`
  await client.query(
    `declare ${cursor} no scroll cursor for
    select
      sums."user",
      ${used}::text as before,
      (${used} + sums.tokens)::text as after,
      sums.tokens::text as tokens
    from ${sums} as sums
    join ${quota.table.sql} as quotas on quotas.${quota.user.sql}::text = sums."user"
    order by sums."user"`,
  )
  for (;;) {
    const { rows } = await client.query<QuotaChange>(`fetch ${pageSize} from ${cursor}`)
    if (rows.length === 0) break
    yield rows
  }
  await client.query(`close ${cursor}`)
}

/** Adds the tokens of each user to the quota, locking the rows in the order of the users. */
export async function addToQuotas(client: ClientBase, quota: Quota): Promise<void> {
  const { table, column, user } = quota
  await client.query(
    `with locked as materialized (
      select quotas.${user.sql} as key, sums.tokens
      from ${table.sql} as quotas
      join ${sums} as sums on sums."user" = quotas.${user.sql}::text
      order by sums."user"
      for update of quotas
    )
    update ${table.sql} as quotas
    set ${column.sql} = coalesce(quotas.${column.sql}, 0) + locked.tokens
    from locked
    where quotas.${user.sql} = locked.key`,
  )
}

function quotaOf({ table, user }: Quota): string {
  return `select from ${table.sql} as quotas where quotas.${user.sql}::text = sums."user"`
}
