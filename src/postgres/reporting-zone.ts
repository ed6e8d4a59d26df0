import type { ClientBase } from 'pg'
import { MigrationError } from '../errors.js'

/** The time zone that decides what a day is in the daily sums. */
export async function getReportingZone(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ time_zone: string }>('select time_zone from token_usage_settings')
  return rows[0]?.time_zone ?? 'UTC'
}

/**
 * Makes `timeZone` the reporting zone and counts the daily sums anew, both in the caller's transaction, which has to be
 * at isolation level read committed. Writers wait until it ends. The name is one that `getTimeZoneName` returned. Throws
 * a `MigrationError` where sums outlived their rows: nobody can count those anew.
 */
export async function setReportingZone(client: ClientBase, timeZone: string): Promise<void> {
  await client.query('lock table token_usage_logs in share row exclusive mode')
  await refuseKeptSums(client)
  await client.query(
    `insert into token_usage_settings (time_zone)
    values ($1)
    on conflict (only_row) do update
    set time_zone = excluded.time_zone`,
    [timeZone],
  )
  await client.query('select token_usage_rebuild_daily()')
}

async function refuseKeptSums(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ from: string | null; to: string }>(
    `select min(day)::text as from, max(day)::text as to
    from token_usage_daily
    where day < (select (pruned_before at time zone time_zone)::date from token_usage_settings)`,
  )
  const [kept] = rows
  if (!kept?.from) return
  throw new MigrationError(
    `The daily sums of ${kept.from} to ${kept.to} outlived their rows and cannot be counted anew for another time zone. Keep the zone, or remove these sums first with tokenledger prune, without --keep-daily.`,
  )
}

/**
 * The name as PostgreSQL spells it (`europe/berlin` is `Europe/Berlin`). Throws a `MigrationError` for one it does not
 * know, though it would take some of them elsewhere: `Foo` passes for a zone at an offset of 0.
 */
export async function getTimeZoneName(client: ClientBase, timeZone: string): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    'select name from pg_timezone_names where lower(name collate "C") = lower($1 collate "C")',
    [timeZone],
  )
  const name = rows[0]?.name
  if (name === undefined) {
    throw new MigrationError(
      `PostgreSQL knows no time zone ${JSON.stringify(timeZone)}. Use a name such as "Europe/Berlin"; "select name from pg_timezone_names" lists them.`,
    )
  }
  return name
}
