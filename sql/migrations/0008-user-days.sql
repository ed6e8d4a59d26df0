-- The latest calls, and the calls of a range whoever made them, are found by time.
create index token_usage_logs_timestamp on token_usage_logs (timestamp);

create table token_usage_user_days (
  day date not null,
  user_email text not null,
  requests bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cache_read_tokens bigint not null default 0,
  cache_write_tokens bigint not null default 0,
  reasoning_tokens bigint not null default 0,
  cost numeric not null default 0,
  input_cost numeric not null default 0,
  output_cost numeric not null default 0,
  other_cost numeric not null default 0,
  unpriced bigint not null default 0,
  unknown bigint not null default 0,
  aborted bigint not null default 0,
  failed bigint not null default 0,
  first_at timestamptz not null,
  last_at timestamptz not null,
  primary key (day, user_email)
);

comment on table token_usage_user_days is 'Sums of token_usage_daily by day and user, kept by its triggers. Not to be written by hand.';
comment on column token_usage_user_days.day is 'The day in the reporting time zone of token_usage_settings.';
comment on column token_usage_user_days.user_email is 'Who made the calls.';
comment on column token_usage_user_days.requests is 'Number of calls; a row with none is removed.';
comment on column token_usage_user_days.input_tokens is 'Sum of the known input tokens.';
comment on column token_usage_user_days.output_tokens is 'Sum of the known output tokens.';
comment on column token_usage_user_days.cache_read_tokens is 'Sum of the known cache reads, part of input_tokens.';
comment on column token_usage_user_days.cache_write_tokens is 'Sum of the known cache writes, part of input_tokens.';
comment on column token_usage_user_days.reasoning_tokens is 'Sum of the known reasoning tokens, part of output_tokens.';
comment on column token_usage_user_days.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on column token_usage_user_days.input_cost is 'Part of cost for input, as far as it is told apart.';
comment on column token_usage_user_days.output_cost is 'Part of cost for output, as far as it is told apart.';
comment on column token_usage_user_days.other_cost is 'Part of cost for fees and tools, as far as it is told apart.';
comment on column token_usage_user_days.unpriced is 'Number of calls without a cost, or with one that is not a number.';
comment on column token_usage_user_days.unknown is 'Number of calls whose token counts nobody knows.';
comment on column token_usage_user_days.aborted is 'Number of calls that were broken off.';
comment on column token_usage_user_days.failed is 'Number of calls that ended with an error.';
comment on column token_usage_user_days.first_at is 'Time of the first call.';
comment on column token_usage_user_days.last_at is 'Time of the last call.';

create function token_usage_count_user_days()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
declare
  direction constant integer := tg_argv[0];
begin
  if current_setting('tokenledger.counting_anew', true) = 'on' then
    return null;
  end if;

  insert into token_usage_user_days as sums (
    day, user_email,
    requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost, input_cost, output_cost, other_cost,
    unpriced, unknown, aborted, failed,
    first_at, last_at
  )
  select
    day,
    user_email,
    direction * sum(requests),
    direction * sum(input_tokens),
    direction * sum(output_tokens),
    direction * sum(cache_read_tokens),
    direction * sum(cache_write_tokens),
    direction * sum(reasoning_tokens),
    direction * sum(cost),
    direction * sum(input_cost),
    direction * sum(output_cost),
    direction * sum(other_cost),
    direction * sum(unpriced),
    direction * sum(unknown),
    direction * sum(aborted),
    direction * sum(failed),
    min(first_at),
    max(last_at)
  from changed
  group by day, user_email
  order by day, user_email
  on conflict (day, user_email) do update
  set
    requests = sums.requests + excluded.requests,
    input_tokens = sums.input_tokens + excluded.input_tokens,
    output_tokens = sums.output_tokens + excluded.output_tokens,
    cache_read_tokens = sums.cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = sums.cache_write_tokens + excluded.cache_write_tokens,
    reasoning_tokens = sums.reasoning_tokens + excluded.reasoning_tokens,
    cost = sums.cost + excluded.cost,
    input_cost = sums.input_cost + excluded.input_cost,
    output_cost = sums.output_cost + excluded.output_cost,
    other_cost = sums.other_cost + excluded.other_cost,
    unpriced = sums.unpriced + excluded.unpriced,
    unknown = sums.unknown + excluded.unknown,
    aborted = sums.aborted + excluded.aborted,
    failed = sums.failed + excluded.failed,
    first_at = least(sums.first_at, excluded.first_at),
    last_at = greatest(sums.last_at, excluded.last_at);

  if direction > 0 then
    return null;
  end if;

  delete from token_usage_user_days as sums
  using changed
  where sums.day = changed.day
    and sums.user_email = changed.user_email
    and sums.requests = 0;

  update token_usage_user_days as sums
  set (first_at, last_at) = (
    select min(daily.first_at), max(daily.last_at)
    from token_usage_daily as daily
    where daily.day = sums.day
      and daily.user_email = sums.user_email
  )
  from (
    select day, user_email, min(first_at) as first_at, max(last_at) as last_at
    from changed
    group by day, user_email
  ) as gone
  where sums.day = gone.day
    and sums.user_email = gone.user_email
    and (gone.first_at <= sums.first_at or gone.last_at >= sums.last_at);

  return null;
end
$$;

comment on function token_usage_count_user_days() is 'Adds rows of token_usage_daily to token_usage_user_days, or takes them away; its argument says which.';

create function token_usage_recount_user_days()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
begin
  if current_setting('tokenledger.counting_anew', true) = 'on' then
    return null;
  end if;

  insert into token_usage_user_days as sums (
    day, user_email,
    requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost, input_cost, output_cost, other_cost,
    unpriced, unknown, aborted, failed,
    first_at, last_at
  )
  select
    day,
    user_email,
    sum(direction * requests),
    sum(direction * input_tokens),
    sum(direction * output_tokens),
    sum(direction * cache_read_tokens),
    sum(direction * cache_write_tokens),
    sum(direction * reasoning_tokens),
    sum(direction * cost),
    sum(direction * input_cost),
    sum(direction * output_cost),
    sum(direction * other_cost),
    sum(direction * unpriced),
    sum(direction * unknown),
    sum(direction * aborted),
    sum(direction * failed),
    min(first_at),
    max(last_at)
  from (
    select -1 as direction, * from before
    union all
    select 1, * from after
  ) as changed
  group by day, user_email
  order by day, user_email
  on conflict (day, user_email) do update
  set
    requests = sums.requests + excluded.requests,
    input_tokens = sums.input_tokens + excluded.input_tokens,
    output_tokens = sums.output_tokens + excluded.output_tokens,
    cache_read_tokens = sums.cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = sums.cache_write_tokens + excluded.cache_write_tokens,
    reasoning_tokens = sums.reasoning_tokens + excluded.reasoning_tokens,
    cost = sums.cost + excluded.cost,
    input_cost = sums.input_cost + excluded.input_cost,
    output_cost = sums.output_cost + excluded.output_cost,
    other_cost = sums.other_cost + excluded.other_cost,
    unpriced = sums.unpriced + excluded.unpriced,
    unknown = sums.unknown + excluded.unknown,
    aborted = sums.aborted + excluded.aborted,
    failed = sums.failed + excluded.failed,
    first_at = least(sums.first_at, excluded.first_at),
    last_at = greatest(sums.last_at, excluded.last_at);

  -- Nothing of a user may stay behind under a name that is given up.
  delete from token_usage_user_days as sums
  using before
  where sums.day = before.day
    and sums.user_email = before.user_email
    and sums.requests = 0;

  update token_usage_user_days as sums
  set (first_at, last_at) = (
    select min(daily.first_at), max(daily.last_at)
    from token_usage_daily as daily
    where daily.day = sums.day
      and daily.user_email = sums.user_email
  )
  from (
    select day, user_email
    from (
      select -1 as direction, * from before
      union all
      select 1, * from after
    ) as changed
    group by day, user_email
    having not coalesce(
      min(first_at) filter (where direction < 0) >= min(first_at) filter (where direction > 0)
      and max(last_at) filter (where direction < 0) <= max(last_at) filter (where direction > 0),
      count(*) filter (where direction < 0) = 0
    )
  ) as gone
  where sums.day = gone.day
    and sums.user_email = gone.user_email;

  return null;
end
$$;

comment on function token_usage_recount_user_days() is 'Brings token_usage_user_days after an update of token_usage_daily.';

-- What an insert of usage does to token_usage_daily is an update and an insert, each with triggers of its own. Writers take
-- the sums that both will touch in the order of their key, before anything else.
create function token_usage_lock_user_days()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
#variable_conflict use_variable
declare
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
begin
  insert into token_usage_user_days as sums (day, user_email, first_at, last_at)
  select (timestamp at time zone zone)::date, user_email, min(timestamp), max(timestamp)
  from changed
  group by 1, 2
  order by 1, 2
  on conflict (day, user_email) do update
  set requests = sums.requests;

  return null;
end
$$;

comment on function token_usage_lock_user_days() is 'Takes the sums by day and user that a statement touches, in the order of their key.';
create function token_usage_lock_changed_user_days()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
#variable_conflict use_variable
declare
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
begin
  insert into token_usage_user_days as sums (day, user_email, first_at, last_at)
  select (timestamp at time zone zone)::date, user_email, min(timestamp), max(timestamp)
  from (
    select timestamp, user_email
    from before
    union all
    select timestamp, user_email
    from after
  ) as changed
  group by 1, 2
  order by 1, 2
  on conflict (day, user_email) do update
  set requests = sums.requests;

  return null;
end
$$;

comment on function token_usage_lock_changed_user_days() is 'Does for an update what token_usage_lock_user_days does for other statements.';

-- Taking a sum makes it where there was none. What a statement leaves out of the daily sums, because it is pruned or refused,
-- leaves it empty, and an empty one would keep a name that was given up.
create function token_usage_drop_empty_user_days()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
#variable_conflict use_variable
declare
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
begin
  delete from token_usage_user_days as sums
  using (select distinct (timestamp at time zone zone)::date as day, user_email from changed) as gone
  where sums.day = gone.day
    and sums.user_email = gone.user_email
    and sums.requests = 0;

  return null;
end
$$;

comment on function token_usage_drop_empty_user_days() is 'Removes the sums by day and user that a statement has left empty.';

create function token_usage_clear_user_days()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
begin
  delete from token_usage_user_days;

  return null;
end
$$;

comment on function token_usage_clear_user_days() is 'Empties token_usage_user_days with its table.';

revoke execute on function
  token_usage_count_user_days(), token_usage_recount_user_days(), token_usage_lock_user_days(),
  token_usage_lock_changed_user_days(), token_usage_drop_empty_user_days(), token_usage_clear_user_days()
from public;

-- Triggers of one event fire in the order of their names: these come before those that keep token_usage_daily.
create trigger token_usage_logs_0_insert
  after insert on token_usage_logs
  referencing new table as changed
  for each statement
  execute function token_usage_lock_user_days();

create trigger token_usage_logs_0_delete
  after delete on token_usage_logs
  referencing old table as changed
  for each statement
  execute function token_usage_lock_user_days();

create trigger token_usage_logs_0_update
  after update on token_usage_logs
  referencing old table as before new table as after
  for each statement
  execute function token_usage_lock_changed_user_days();

-- And these come after them.
create trigger token_usage_logs_z_delete
  after delete on token_usage_logs
  referencing old table as changed
  for each statement
  execute function token_usage_drop_empty_user_days();

create trigger token_usage_logs_z_update
  after update on token_usage_logs
  referencing old table as changed
  for each statement
  execute function token_usage_drop_empty_user_days();

create trigger token_usage_logs_z_update_new
  after update on token_usage_logs
  referencing new table as changed
  for each statement
  execute function token_usage_drop_empty_user_days();

create trigger token_usage_daily_insert
  after insert on token_usage_daily
  referencing new table as changed
  for each statement
  execute function token_usage_count_user_days('1');

create trigger token_usage_daily_delete
  after delete on token_usage_daily
  referencing old table as changed
  for each statement
  execute function token_usage_count_user_days('-1');

create trigger token_usage_daily_update
  after update on token_usage_daily
  referencing old table as before new table as after
  for each statement
  execute function token_usage_recount_user_days();

create trigger token_usage_daily_truncate
  after truncate on token_usage_daily
  for each statement
  execute function token_usage_clear_user_days();

create function token_usage_rebuild_user_days()
  returns void
  language plpgsql
  set search_path from current
as $$
begin
  delete from token_usage_user_days;

  insert into token_usage_user_days (
    day, user_email,
    requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost, input_cost, output_cost, other_cost,
    unpriced, unknown, aborted, failed,
    first_at, last_at
  )
  select
    day,
    user_email,
    sum(requests),
    sum(input_tokens),
    sum(output_tokens),
    sum(cache_read_tokens),
    sum(cache_write_tokens),
    sum(reasoning_tokens),
    sum(cost),
    sum(input_cost),
    sum(output_cost),
    sum(other_cost),
    sum(unpriced),
    sum(unknown),
    sum(aborted),
    sum(failed),
    min(first_at),
    max(last_at)
  from token_usage_daily
  group by day, user_email
  order by day, user_email;
end
$$;

comment on function token_usage_rebuild_user_days() is 'Counts token_usage_user_days anew from token_usage_daily.';

-- Whoever counts the daily sums anew counts these with them: they may be wrong for the same reason.
alter function token_usage_rebuild_daily() rename to token_usage_rebuild_daily_sums;

create function token_usage_rebuild_daily()
  returns void
  language plpgsql
  set search_path from current
as $$
begin
  -- Its triggers would change sums that may be wrong, and are counted anew anyway.
  perform set_config('tokenledger.counting_anew', 'on', true);
  perform token_usage_rebuild_daily_sums();
  perform set_config('tokenledger.counting_anew', 'off', true);
  perform token_usage_rebuild_user_days();
end
$$;

comment on function token_usage_rebuild_daily() is 'Counts token_usage_daily anew from the rows, and token_usage_user_days from it. Writers wait until the end of the transaction.';

revoke execute on function token_usage_rebuild_user_days(), token_usage_rebuild_daily() from public;

select token_usage_rebuild_user_days();

create or replace view token_usage_users as
select
  user_email,
  sum(requests)::bigint as requests,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cache_read_tokens)::bigint as cache_read_tokens,
  sum(cache_write_tokens)::bigint as cache_write_tokens,
  sum(reasoning_tokens)::bigint as reasoning_tokens,
  sum(cost) as cost,
  sum(unpriced)::bigint as unpriced,
  sum(unknown)::bigint as unknown,
  sum(aborted)::bigint as aborted,
  sum(failed)::bigint as failed,
  min(first_at) as first_at,
  max(last_at) as last_at
from token_usage_user_days
group by user_email;

create or replace view token_usage_by_day as
select
  day,
  sum(requests)::bigint as requests,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cache_read_tokens)::bigint as cache_read_tokens,
  sum(cache_write_tokens)::bigint as cache_write_tokens,
  sum(reasoning_tokens)::bigint as reasoning_tokens,
  sum(cost) as cost,
  sum(unpriced)::bigint as unpriced,
  sum(unknown)::bigint as unknown,
  sum(aborted)::bigint as aborted,
  sum(failed)::bigint as failed,
  min(first_at) as first_at,
  max(last_at) as last_at
from token_usage_user_days
group by day;
