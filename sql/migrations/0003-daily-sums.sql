create table token_usage_settings (
  only_row boolean primary key default true check (only_row),
  -- A name that PostgreSQL does not know is refused here; in the triggers it would stop every insert.
  time_zone text not null default 'UTC' check (timestamptz 'epoch' at time zone time_zone is not null)
);

insert into token_usage_settings default values;

comment on table token_usage_settings is 'Settings that hold for every process that uses this database: one row.';
comment on column token_usage_settings.only_row is 'Always true: there is one row.';
comment on column token_usage_settings.time_zone is 'The reporting time zone, which decides what a day is. Changed by "tokenledger migrate --time-zone", never by hand: the daily sums change with it.';

create table token_usage_daily (
  day date not null,
  user_email text not null default '',
  provider text not null default '',
  model_name text not null default '',
  request_type text not null default '',
  operation text not null default '',
  project text not null default '',
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
  primary key (day, user_email, provider, model_name, request_type, operation, project)
);

comment on table token_usage_daily is 'Sums of token_usage_logs by day, kept by its triggers whoever writes. Not to be written by hand.';
comment on column token_usage_daily.day is 'The day in the reporting time zone of token_usage_settings.';
comment on column token_usage_daily.user_email is 'Who made the calls.';
comment on column token_usage_daily.provider is 'The provider; empty where the rows name none.';
comment on column token_usage_daily.model_name is 'The model.';
comment on column token_usage_daily.request_type is 'Kind of the calls.';
comment on column token_usage_daily.operation is 'What the application was doing; empty where the rows name nothing.';
comment on column token_usage_daily.project is 'The project; empty where the rows name none.';
comment on column token_usage_daily.requests is 'Number of calls; a row with none is removed.';
comment on column token_usage_daily.input_tokens is 'Sum of the known input tokens.';
comment on column token_usage_daily.output_tokens is 'Sum of the known output tokens.';
comment on column token_usage_daily.cache_read_tokens is 'Sum of the known cache reads, part of input_tokens.';
comment on column token_usage_daily.cache_write_tokens is 'Sum of the known cache writes, part of input_tokens.';
comment on column token_usage_daily.reasoning_tokens is 'Sum of the known reasoning tokens, part of output_tokens.';
comment on column token_usage_daily.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on column token_usage_daily.input_cost is 'Part of cost for input, as far as it is told apart.';
comment on column token_usage_daily.output_cost is 'Part of cost for output, as far as it is told apart.';
comment on column token_usage_daily.other_cost is 'Part of cost for fees and tools, as far as it is told apart.';
comment on column token_usage_daily.unpriced is 'Number of calls without a cost, or with one that is not a number.';
comment on column token_usage_daily.unknown is 'Number of calls whose token counts nobody knows.';
comment on column token_usage_daily.aborted is 'Number of calls that were broken off.';
comment on column token_usage_daily.failed is 'Number of calls that ended with an error.';
comment on column token_usage_daily.first_at is 'Time of the first call.';
comment on column token_usage_daily.last_at is 'Time of the last call.';

-- The functions run as their owner: a program that may only insert into token_usage_logs goes on doing so, and nobody
-- needs the right to write sums. Their search path is the one of this migration, whatever the writer's is.
--
-- Every statement changes its sums in the order of their key, so that writers wait for each other and never in a circle.
-- Whoever has changed a row of sums holds it until the end of the transaction; what a later statement reads of its calls
-- is therefore exactly what the sums contain.
--
-- An adopted table may have further columns of any name; what is a variable here stays one.
create function token_usage_count_rows()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
#variable_conflict use_variable
declare
  direction constant integer := tg_argv[0];
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
begin
  insert into token_usage_daily as sums (
    day, user_email, provider, model_name, request_type, operation, project,
    requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost, input_cost, output_cost, other_cost,
    unpriced, unknown, aborted, failed,
    first_at, last_at
  )
  select
    (timestamp at time zone zone)::date,
    user_email,
    coalesce(provider, ''),
    model_name,
    request_type,
    coalesce(operation, ''),
    coalesce(project, ''),
    direction * count(*),
    direction * coalesce(sum(input_tokens), 0),
    direction * coalesce(sum(output_tokens), 0),
    direction * coalesce(sum(cache_read_tokens), 0),
    direction * coalesce(sum(cache_write_tokens), 0),
    direction * coalesce(sum(reasoning_tokens), 0),
    direction * coalesce(sum(nullif(cost_estimate, 'NaN')), 0),
    direction * coalesce(sum(nullif(input_cost, 'NaN')), 0),
    direction * coalesce(sum(nullif(output_cost, 'NaN')), 0),
    direction * coalesce(sum(nullif(other_cost, 'NaN')), 0),
    direction * (count(*) - count(nullif(cost_estimate, 'NaN'))),
    direction * count(*) filter (where usage_source = 'unknown'),
    direction * count(*) filter (where status = 'aborted'),
    direction * count(*) filter (where status = 'error'),
    min(timestamp),
    max(timestamp)
  from changed
  group by 1, 2, 3, 4, 5, 6, 7
  order by 1, 2, 3, 4, 5, 6, 7
  on conflict (day, user_email, provider, model_name, request_type, operation, project) do update
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

  delete from token_usage_daily as sums
  using changed
  where sums.day = (changed.timestamp at time zone zone)::date
    and sums.user_email = changed.user_email
    and sums.provider = coalesce(changed.provider, '')
    and sums.model_name = changed.model_name
    and sums.request_type = changed.request_type
    and sums.operation = coalesce(changed.operation, '')
    and sums.project = coalesce(changed.project, '')
    and sums.requests = 0;

  -- Three hours to each side of the day let an index be used where a change of the clock falls on midnight.
  update token_usage_daily as sums
  set (first_at, last_at) = (
    with remaining as not materialized (
      select calls.timestamp
      from token_usage_logs as calls
      where calls.user_email = sums.user_email
        and calls.timestamp between (sums.day::timestamp at time zone zone) - interval '3 hours'
          and ((sums.day + 1)::timestamp at time zone zone) + interval '3 hours'
        and (calls.timestamp at time zone zone)::date = sums.day
        and coalesce(calls.provider, '') = sums.provider
        and calls.model_name = sums.model_name
        and calls.request_type = sums.request_type
        and coalesce(calls.operation, '') = sums.operation
        and coalesce(calls.project, '') = sums.project
    )
    select
      coalesce((select timestamp from remaining order by timestamp limit 1), sums.first_at),
      coalesce((select timestamp from remaining order by timestamp desc limit 1), sums.last_at)
  )
  from (
    select
      (timestamp at time zone zone)::date as day,
      user_email,
      coalesce(provider, '') as provider,
      model_name,
      request_type,
      coalesce(operation, '') as operation,
      coalesce(project, '') as project,
      min(timestamp) as first_at,
      max(timestamp) as last_at
    from changed
    group by 1, 2, 3, 4, 5, 6, 7
  ) as gone
  where sums.day = gone.day
    and sums.user_email = gone.user_email
    and sums.provider = gone.provider
    and sums.model_name = gone.model_name
    and sums.request_type = gone.request_type
    and sums.operation = gone.operation
    and sums.project = gone.project
    and (gone.first_at <= sums.first_at or gone.last_at >= sums.last_at);

  return null;
end
$$;

comment on function token_usage_count_rows() is 'Adds the rows of one statement to token_usage_daily, or takes them away; its argument says which.';

-- An update takes rows away and adds them again. All sums it touches are taken in order first.
create function token_usage_lock_sums()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
#variable_conflict use_variable
declare
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
begin
  insert into token_usage_daily as sums (
    day, user_email, provider, model_name, request_type, operation, project, first_at, last_at
  )
  select
    (timestamp at time zone zone)::date,
    user_email,
    coalesce(provider, ''),
    model_name,
    request_type,
    coalesce(operation, ''),
    coalesce(project, ''),
    min(timestamp),
    max(timestamp)
  from (
    select timestamp, user_email, provider, model_name, request_type, operation, project
    from before
    union all
    select timestamp, user_email, provider, model_name, request_type, operation, project
    from after
  ) as changed
  group by 1, 2, 3, 4, 5, 6, 7
  order by 1, 2, 3, 4, 5, 6, 7
  on conflict (day, user_email, provider, model_name, request_type, operation, project) do update
  set requests = sums.requests;

  return null;
end
$$;

comment on function token_usage_lock_sums() is 'Takes the sums that an update touches, in the order of their key.';

create function token_usage_clear_sums()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
begin
  delete from token_usage_daily;

  return null;
end
$$;

comment on function token_usage_clear_sums() is 'Empties token_usage_daily with its table.';

-- Whoever may call a function that runs as its owner could put it on a table of their own and count invented rows.
revoke execute on function token_usage_count_rows(), token_usage_lock_sums(), token_usage_clear_sums() from public;

create function token_usage_rebuild_daily()
  returns void
  language plpgsql
  set search_path from current
as $$
#variable_conflict use_variable
declare
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
begin
  lock table token_usage_logs in share row exclusive mode;

  delete from token_usage_daily;

  insert into token_usage_daily (
    day, user_email, provider, model_name, request_type, operation, project,
    requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost, input_cost, output_cost, other_cost,
    unpriced, unknown, aborted, failed,
    first_at, last_at
  )
  select
    (timestamp at time zone zone)::date,
    user_email,
    coalesce(provider, ''),
    model_name,
    request_type,
    coalesce(operation, ''),
    coalesce(project, ''),
    count(*),
    coalesce(sum(input_tokens), 0),
    coalesce(sum(output_tokens), 0),
    coalesce(sum(cache_read_tokens), 0),
    coalesce(sum(cache_write_tokens), 0),
    coalesce(sum(reasoning_tokens), 0),
    coalesce(sum(nullif(cost_estimate, 'NaN')), 0),
    coalesce(sum(nullif(input_cost, 'NaN')), 0),
    coalesce(sum(nullif(output_cost, 'NaN')), 0),
    coalesce(sum(nullif(other_cost, 'NaN')), 0),
    count(*) - count(nullif(cost_estimate, 'NaN')),
    count(*) filter (where usage_source = 'unknown'),
    count(*) filter (where status = 'aborted'),
    count(*) filter (where status = 'error'),
    min(timestamp),
    max(timestamp)
  from token_usage_logs
  group by 1, 2, 3, 4, 5, 6, 7
  order by 1, 2, 3, 4, 5, 6, 7;
end
$$;

comment on function token_usage_rebuild_daily() is 'Counts token_usage_daily anew from the rows. Writers wait until the transaction ends; readers do not. Call it at isolation level read committed.';

-- Triggers of one event fire in the order of their names.
create trigger token_usage_logs_insert
  after insert on token_usage_logs
  referencing new table as changed
  for each statement
  execute function token_usage_count_rows('1');

create trigger token_usage_logs_delete
  after delete on token_usage_logs
  referencing old table as changed
  for each statement
  execute function token_usage_count_rows('-1');

create trigger token_usage_logs_update_1_lock
  after update on token_usage_logs
  referencing old table as before new table as after
  for each statement
  execute function token_usage_lock_sums();

create trigger token_usage_logs_update_2_subtract
  after update on token_usage_logs
  referencing old table as changed
  for each statement
  execute function token_usage_count_rows('-1');

create trigger token_usage_logs_update_3_add
  after update on token_usage_logs
  referencing new table as changed
  for each statement
  execute function token_usage_count_rows('1');

create trigger token_usage_logs_truncate
  after truncate on token_usage_logs
  for each statement
  execute function token_usage_clear_sums();

select token_usage_rebuild_daily();
