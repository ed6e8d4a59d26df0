-- Rows that were taken away stay away. Whoever writes, whatever was still in a queue, a spool or a backup: a call of before
-- the day that rows are kept from, and one that a user had made before being erased, are refused when they come (again).
--
-- The salt is per database. It keeps a hash from being found in a list of hashes of addresses, or in another database's;
-- it does not keep whoever reads this database from trying an address.
alter table token_usage_settings
  add column pruned_before timestamptz,
  add column expired bigint not null default 0,
  add column erasure_salt text not null default replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');

comment on column token_usage_settings.pruned_before is 'Start of the first day whose rows are kept: rows of earlier calls were pruned and are refused, and the sums of earlier days stay as they are. Null where nothing was ever pruned. Moved by "tokenledger prune", forwards only.';
comment on column token_usage_settings.expired is 'How often a row of before pruned_before came and was refused.';
comment on column token_usage_settings.erasure_salt is 'Goes into the hashes of token_erasures, so that they are of use in this database only. Never to be changed.';

create table token_erasures (
  user_hash text not null,
  erased_at timestamptz not null,
  anonymized boolean not null,
  usage_rows bigint not null,
  daily_sums bigint not null,
  dead_letters bigint not null,
  spooled bigint not null default 0,
  refused bigint not null default 0,
  primary key (user_hash, erased_at)
);

create index token_erasures_erased_at on token_erasures (erased_at);

comment on table token_erasures is 'Who was erased, as hashes: calls that these users made up to then are refused. One row for each erasure, also its receipt.';
comment on column token_erasures.user_hash is 'SHA-256 of the salt of token_usage_settings and the user in lower case without surrounding blanks, in hexadecimal.';
comment on column token_erasures.erased_at is 'When the user was erased: calls up to this time are refused, later ones are recorded.';
comment on column token_erasures.anonymized is 'True where the rows were kept under a name that tells nothing.';
comment on column token_erasures.usage_rows is 'How many rows of token_usage_logs were removed, or given another name.';
comment on column token_erasures.daily_sums is 'How many rows of token_usage_daily were.';
comment on column token_erasures.dead_letters is 'How many dead letters were removed.';
comment on column token_erasures.spooled is 'How many records were removed from the spool of the machine that erased.';
comment on column token_erasures.refused is 'How often a record of this user came later and was refused.';

create function token_usage_user_key(user_email text)
  returns text
  language sql
  immutable
as $$
  select lower(btrim(user_email, E' \t\r\n'))
$$;

comment on function token_usage_user_key(text) is 'What all spellings of a user have in common: lower case, no surrounding blanks.';

create function token_usage_user_hash(user_email text)
  returns text
  language sql
  stable
  set search_path from current
as $$
  select encode(sha256(convert_to(erasure_salt || token_usage_user_key(user_email), 'UTF8')), 'hex')
  from token_usage_settings
$$;

comment on function token_usage_user_hash(text) is 'The user_hash of a user, whatever the spelling.';

-- The text is searched: what makes a record a dead letter may keep PostgreSQL from reading it as JSON.
create function token_usage_dead_letter_user(record json)
  returns text
  language sql
  immutable
as $$
  select
    ('"' || regexp_replace(
      substring(record::text from '"userEmail"\s*:\s*"((?:[^"\\]|\\.)*)"'),
      '\\u(0000|d[89a-f][0-9a-f]{2})', '', 'gi'
    ) || '"')::json #>> '{}'
$$;

comment on function token_usage_dead_letter_user(json) is 'The user of a dead letter''s record; null where it names none.';

create function token_usage_dead_letter_time(record json)
  returns timestamptz
  language sql
  immutable
as $$
  select to_timestamp(substring(record::text from '"timestamp"\s*:\s*(\d{1,15})')::float8 / 1000)
$$;

comment on function token_usage_dead_letter_time(json) is 'The time of the call of a dead letter''s record; null where it tells none.';

-- Before the first prune and the first erasure this is two look-ups for each statement, however many rows it inserts; later
-- it also looks through them for calls that are old enough. It runs when the rows have been counted (triggers fire in the
-- order of their names): what it deletes is taken out of the sums again. Nobody else ever sees the rows.
create function token_usage_refuse_rows()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
#variable_conflict use_variable
declare
  boundary constant timestamptz := (select pruned_before from token_usage_settings);
  last_erasure constant timestamptz := (select max(erased_at) from token_erasures);
  horizon constant timestamptz := greatest(boundary, last_erasure);
  erased record;
  refused bigint;
begin
  if horizon is null or not exists (select from inserted where inserted.timestamp <= horizon) then
    return null;
  end if;

  delete from token_usage_logs as calls
  using inserted
  where calls.id = inserted.id
    and inserted.timestamp < boundary
    and calls.timestamp < boundary;

  get diagnostics refused = row_count;

  if refused > 0 then
    update token_usage_settings set expired = token_usage_settings.expired + refused;
  end if;

  for erased in
    select candidates.user_email, erasures.user_hash, max(erasures.erased_at) as erased_at
    from (select distinct inserted.user_email from inserted where inserted.timestamp <= last_erasure) as candidates
    join token_erasures as erasures on erasures.user_hash = token_usage_user_hash(candidates.user_email)
    group by 1, 2
    order by 2, 1
  loop
    delete from token_usage_logs as calls
    using inserted
    where calls.id = inserted.id
      and inserted.user_email = erased.user_email
      and inserted.timestamp <= erased.erased_at
      and calls.user_email = erased.user_email
      and calls.timestamp <= erased.erased_at;

    get diagnostics refused = row_count;

    update token_erasures as erasures
    set refused = erasures.refused + refused
    where erasures.user_hash = erased.user_hash
      and erasures.erased_at = erased.erased_at
      and refused > 0;
  end loop;

  return null;
end
$$;

comment on function token_usage_refuse_rows() is 'Takes rows away again, as they are inserted, that were pruned or erased.';

create function token_usage_refuse_dead_letter()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
declare
  last_erasure constant timestamptz := (
    select max(erased_at)
    from token_erasures
    where user_hash = token_usage_user_hash(token_usage_dead_letter_user(new.record))
  );
begin
  -- One that does not tell its time may be of before.
  if last_erasure is null or token_usage_dead_letter_time(new.record) > last_erasure then
    return new;
  end if;

  update token_erasures
  set refused = refused + 1
  where user_hash = token_usage_user_hash(token_usage_dead_letter_user(new.record))
    and erased_at = last_erasure;

  return null;
end
$$;

comment on function token_usage_refuse_dead_letter() is 'Keeps a dead letter out whose user was erased after the call.';

revoke execute on function token_usage_refuse_rows(), token_usage_refuse_dead_letter() from public;

create trigger token_usage_logs_insert_refuse
  after insert on token_usage_logs
  referencing new table as inserted
  for each statement
  execute function token_usage_refuse_rows();

create trigger token_usage_dead_letters_insert_refuse
  before insert on token_usage_dead_letters
  for each row
  execute function token_usage_refuse_dead_letter();

-- From here on these are what 0003 made, for rows from pruned_before on. Earlier ones have no part in the sums: those that
-- outlive their rows stay as they are.
create or replace function token_usage_count_rows()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
#variable_conflict use_variable
declare
  direction constant integer := tg_argv[0];
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
  boundary constant timestamptz := coalesce((select pruned_before from token_usage_settings), '-infinity');
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
  where timestamp >= boundary
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
    and changed.timestamp >= boundary
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
    where timestamp >= boundary
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

create or replace function token_usage_lock_sums()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
#variable_conflict use_variable
declare
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
  boundary constant timestamptz := coalesce((select pruned_before from token_usage_settings), '-infinity');
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
  where timestamp >= boundary
  group by 1, 2, 3, 4, 5, 6, 7
  order by 1, 2, 3, 4, 5, 6, 7
  on conflict (day, user_email, provider, model_name, request_type, operation, project) do update
  set requests = sums.requests;

  return null;
end
$$;

create or replace function token_usage_clear_sums()
  returns trigger
  language plpgsql
  security definer
  set search_path from current
as $$
declare
  boundary constant timestamptz := coalesce((select pruned_before from token_usage_settings), '-infinity');
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
begin
  delete from token_usage_daily
  where day >= (boundary at time zone zone)::date;

  return null;
end
$$;

create or replace function token_usage_rebuild_daily()
  returns void
  language plpgsql
  set search_path from current
as $$
#variable_conflict use_variable
declare
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
  boundary constant timestamptz := coalesce((select pruned_before from token_usage_settings), '-infinity');
begin
  lock table token_usage_logs in share row exclusive mode;

  delete from token_usage_daily
  where day >= (boundary at time zone zone)::date;

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
  where timestamp >= boundary
  group by 1, 2, 3, 4, 5, 6, 7
  order by 1, 2, 3, 4, 5, 6, 7;
end
$$;
