import type { ClientBase } from 'pg'
import type { UsageRecord } from '../usage/usage-record.js'
import { insertInto, recordColumns } from './insert-records.js'

const stages = { key: 'tokenledger_stage_by_key', content: 'tokenledger_stage_by_content' } as const
const columns = recordColumns.join(', ')
const otherColumns = recordColumns.filter((name) => name !== 'event_id').join(', ')

// Of records that are alike in everything the second and later ones have ids of their own, always the same ones.
const staged = `
  select ${columns}
  from ${stages.key}
  union all
  select case when occurrence = 1 then event_id else md5(event_id || '/' || occurrence)::uuid end, ${otherColumns}
  from (
    select *, row_number() over (partition by event_id) as occurrence
    from ${stages.content}
  ) as numbered`

/**
 * What the `eventId` of a record stands for: a key, so that two records with the same are one, or all of its content, so
 * that two are two calls that were alike.
 */
export type RecordIdentity = keyof typeof stages

/**
 * Opens temporary tables in the caller's transaction that take any number of records. Live writers are held up only when
 * those are stored: until then no lock on `token_usage_logs` or its daily sums is held.
 */
export async function openStage(client: ClientBase): Promise<void> {
  for (const stage of Object.values(stages)) {
    await client.query(
      `create temporary table ${stage} on commit drop as select ${columns} from token_usage_logs with no data`,
    )
  }
}

/** Adds records to the stage. */
export async function stageRecords(
  client: ClientBase,
  records: readonly UsageRecord[],
  identity: RecordIdentity,
): Promise<void> {
  if (records.length > 0) await client.query(insertInto(stages[identity], records))
}

const isNew = 'not exists (select from token_usage_logs as logs where logs.event_id = records.event_id)'

const selectNew = `
  select count(distinct event_id)::float8 as rows
  from (${staged}) as records
  where ${isNew}`

// As the trigger of token_usage_logs tells them.
const selectRefused = `
  select count(*)::float8 as rows
  from (select distinct on (event_id) event_id, timestamp, user_email from (${staged}) as records) as records
  left join (
    select users.user_email, max(erasures.erased_at) as erased_at
    from (select distinct user_email from (${staged}) as records) as users
    join token_erasures as erasures on erasures.user_hash = token_usage_user_hash(users.user_email)
    group by users.user_email
  ) as erased on erased.user_email = records.user_email
  where ${isNew}
    and (
      records.timestamp < (select pruned_before from token_usage_settings)
      or records.timestamp <= erased.erased_at
    )`

/** How many rows are new, and how many were refused, because their user was erased or their day pruned; or would be. */
export type StoredCounts = { readonly stored: number; readonly refused: number }

/** Stores what is staged in one statement, without what is there already. */
export async function storeStaged(client: ClientBase): Promise<StoredCounts> {
  const { rowCount } = await client.query(
    `insert into token_usage_logs (${columns})
    select * from (${staged}) as records
    order by event_id
    on conflict (event_id) do nothing`,
  )
  // What is not there even now was refused.
  const refused = await countRows(client, selectNew)
  return { stored: (rowCount ?? 0) - refused, refused }
}

/** What `storeStaged` would tell. */
export async function countStaged(client: ClientBase): Promise<StoredCounts> {
  const refused = await countRows(client, selectRefused)
  return { stored: (await countRows(client, selectNew)) - refused, refused }
}

async function countRows(client: ClientBase, sql: string): Promise<number> {
  const { rows } = await client.query<{ rows: number }>(sql)
  return rows[0]?.rows ?? 0
}
