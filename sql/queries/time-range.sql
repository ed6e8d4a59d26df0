-- A range of time in the reporting zone, and the one of the same length before it where it has a beginning: of days where
-- both ends are days, else of instants. Open ends are infinite.
-- $1, $2: its first and last day. $3, $4: days back from today. $5, $6: its first instant and its end.
-- $7, $8: hours back from now. All may be null.
with given as (
  select
    zone,
    today,
    coalesce($1::date, today - $3::integer + 1) as first_day,
    coalesce($2::date, today - $4::integer) as last_day,
    coalesce($5::timestamptz, now() - $7::integer * interval '1 hour') as from_at,
    coalesce($6::timestamptz, now() - $8::integer * interval '1 hour') as to_at
  from (select coalesce((select time_zone from token_usage_settings), 'UTC') as zone) as settings
  cross join lateral (select (now() at time zone zone)::date as today) as clock
),
bounds as (
  select
    *,
    from_at is null and to_at is null as of_days,
    coalesce(from_at, first_day::timestamp at time zone zone) as starts_at,
    coalesce(to_at, (last_day + 1)::timestamp at time zone zone) as ends_at,
    -- Of what has passed: the days that are still to come have no counterpart.
    coalesce(least(last_day, greatest(today, first_day)), today) - first_day + 1 as length
  from given
),
ranges as (
  select 1 as place, zone, today, of_days, first_day, last_day, starts_at, ends_at
  from bounds
  union all
  -- PostgreSQL's calendar begins in 4713 BC, and an end may be far in the future.
  select 2, zone, today, of_days, first_day - length, first_day - 1,
    starts_at - least(coalesce(ends_at, now()) - starts_at, interval '1000000 days'), starts_at
  from bounds
  where starts_at is not null
)
select
  zone as "timeZone",
  today::text as today,
  case when of_days then coalesce(first_day::text, '-infinity') end as "firstDay",
  case when of_days then coalesce(last_day::text, 'infinity') end as "lastDay",
  -- A day is told by its date, for a clock change may fall on midnight; its instants only have an index used.
  coalesce(
    to_char(
      (starts_at - case when of_days then interval '3 hours' else interval '0' end) at time zone 'UTC',
      'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ),
    '-infinity'
  ) as "from",
  coalesce(
    to_char(
      (ends_at + case when of_days then interval '3 hours' else interval '0' end) at time zone 'UTC',
      'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ),
    'infinity'
  ) as "to",
  coalesce(first_day > last_day or starts_at >= ends_at, false) as "isEmpty"
from ranges
order by place;
