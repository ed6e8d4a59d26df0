import type pg from 'pg'
import { inTransaction } from './transaction.js'
import { countUserDayDifferences, longestList, selectDifferences } from './verify-daily-sums.js'

/** A difference of one row of the daily sums; values are text as PostgreSQL writes them, null on the side without a row. */
export type DailySumsDifference = {
  readonly day: string
  readonly userEmail: string
  readonly provider: string
  readonly modelName: string
  readonly requestType: string
  readonly operation: string
  readonly project: string
  readonly columns: readonly { readonly name: string; readonly kept: string | null; readonly counted: string | null }[]
}

/** What was dropped for one reason; times are ISO 8601. */
export type LossSummary = {
  readonly reason: string
  readonly records: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly firstAt: string
  readonly lastAt: string
}

/** How far the ids have got; `share` is 1 when the next insert fails. */
export type IdSequence = { readonly lastId: number; readonly highestId: number; readonly share: number }

/** What keeps rows out that were pruned or erased before. */
export type Refusals = {
  /** Start of the first day whose rows are kept, ISO 8601; null where nothing was pruned. Sums of earlier days are not compared. */
  readonly prunedBefore: string | null
  /** Rows of earlier days that are there: a prune was interrupted. */
  readonly unprunedRows: number
  readonly erasures: number
  /** How often rows came that were pruned or erased, and were refused. */
  readonly expired: number
  readonly erased: number
}

export type Verification = {
  readonly rows: number
  readonly rowsWithoutEventId: number
  /** Rows with a time more than five minutes after the database's: a clock was wrong. */
  readonly rowsInTheFuture: number
  /** How many rows of the daily sums are not what the rows of their day add up to. */
  readonly differences: number
  /** The first of them, by day, ten at most. */
  readonly firstDifferences: readonly DailySumsDifference[]
  readonly deadLetters: number
  readonly losses: readonly LossSummary[]
  readonly refusals: Refusals
  /** Undefined where no sequence is behind the ids, or this user may not see it. */
  readonly idSequence?: IdSequence
}

const selectCounts = `
  select
    count(*)::float8 as rows,
    (count(*) - count(event_id))::float8 as "rowsWithoutEventId",
    (count(*) filter (where timestamp > now() + interval '5 minutes'))::float8 as "rowsInTheFuture",
    (select count(*) from token_usage_dead_letters)::float8 as "deadLetters"
  from token_usage_logs`

const selectRefusals = `
  select
    settings.pruned_before as "prunedBefore",
    (select count(*) from token_usage_logs where timestamp < settings.pruned_before)::float8 as "unprunedRows",
    (select count(*) from token_erasures)::float8 as erasures,
    coalesce(settings.expired, 0)::float8 as expired,
    (select coalesce(sum(refused), 0) from token_erasures)::float8 as erased
  from (values (1)) as always
  left join token_usage_settings as settings on true`

const selectLosses = `
  select
    reason,
    sum(records)::float8 as records,
    sum(input_tokens)::float8 as "inputTokens",
    sum(output_tokens)::float8 as "outputTokens",
    min(first_at) as "firstAt",
    max(last_at) as "lastAt"
  from token_usage_losses
  group by reason
  order by sum(records) desc, reason`

// The sequence that the column's default takes from need not be the one that belongs to the column.
const selectIdSequence = `
  select coalesce(last_value, 0)::float8 as "lastId", least(max_value, of_type)::float8 as "highestId"
  from (
    select
      coalesce(
        (
          select dependency.refobjid::regclass
          from pg_attrdef as defaults
          join pg_depend as dependency on dependency.classid = 'pg_attrdef'::regclass and dependency.objid = defaults.oid
          join pg_class as sequence on sequence.oid = dependency.refobjid and sequence.relkind = 'S'
          where dependency.refclassid = 'pg_class'::regclass
            and defaults.adrelid = columns.attrelid
            and defaults.adnum = columns.attnum
        ),
        pg_get_serial_sequence('token_usage_logs', 'id')::regclass
      ) as sequence,
      case when columns.atttypid = 'integer'::regtype then 2147483647 else 9223372036854775807 end as of_type
    from pg_attribute as columns
    where columns.attrelid = 'token_usage_logs'::regclass
      and columns.attname = 'id'
  ) as id
  join pg_class as relation on relation.oid = id.sequence
  join pg_namespace as schema on schema.oid = relation.relnamespace
  join pg_sequences as sequences
    on sequences.schemaname = schema.nspname
    and sequences.sequencename = relation.relname
  where has_sequence_privilege(id.sequence, 'usage, select')`

/**
 * Compares the daily sums with the rows, in the database and on one snapshot, and counts what `token_usage_logs` does not
 * contain. Changes nothing and holds nobody up; takes as long as reading the whole table does.
 */
export async function verify(pool: pg.Pool): Promise<Verification> {
  const begin = `begin isolation level repeatable read read only;
    set local statement_timeout = 0; set local time zone 'UTC'`
  return inTransaction(pool, begin, async (client) => {
    const differing = await client.query(selectDifferences, [longestList])
    const userDays = await client.query<{ differences: number }>(countUserDayDifferences)
    const counts = await client.query(selectCounts)
    const losses = await client.query(selectLosses)
    const refusals = await client.query(selectRefusals)
    const sequences = await client.query(selectIdSequence)
    const [sequence] = sequences.rows
    return {
      ...counts.rows[0],
      differences: (differing.rows[0]?.differences ?? 0) + (userDays.rows[0]?.differences ?? 0),
      firstDifferences: differing.rows.map(({ differences, ...difference }) => difference),
      losses: losses.rows.map((loss) => ({
        ...loss,
        firstAt: loss.firstAt.toISOString(),
        lastAt: loss.lastAt.toISOString(),
      })),
      refusals: { ...refusals.rows[0], prunedBefore: refusals.rows[0]?.prunedBefore?.toISOString() ?? null },
      idSequence: sequence && { ...sequence, share: sequence.lastId / sequence.highestId },
    }
  })
}

/** Counts the daily sums anew from the rows. Whoever writes usage waits until it ends; readers do not. */
export async function repairDailySums(pool: pg.Pool): Promise<void> {
  // At a stricter level the sums would be those of before the lock.
  const begin = 'begin isolation level read committed read write; set local statement_timeout = 0'
  await inTransaction(pool, begin, (client) => client.query('select token_usage_rebuild_daily()'))
}
