-- What the migrations make of an empty database. Generated: "npx vitest run test/sql/schema.test.ts -u" writes it anew.

create type token_price_text as range (subtype = text, collation = "C");

create domain token_price_usd as numeric
  constraint token_price_usd_places CHECK ((scale(VALUE) <= 12))
  constraint token_price_usd_range CHECK (((VALUE >= (0)::numeric) AND (VALUE <= (1000000)::numeric)));

create table token_erasures (
  user_hash text not null,
  erased_at timestamp with time zone not null,
  anonymized boolean not null,
  usage_rows bigint,
  daily_sums bigint,
  dead_letters bigint not null,
  spooled bigint not null default 0,
  refused bigint not null default 0,
  constraint token_erasures_pkey PRIMARY KEY (user_hash, erased_at)
);
CREATE INDEX token_erasures_erased_at ON public.token_erasures USING btree (erased_at);

create table token_prices (
  id bigint not null,
  provider text not null,
  model_pattern text not null,
  service_tier text not null default '*'::text,
  valid_from timestamp with time zone not null,
  valid_to timestamp with time zone,
  input_per_million token_price_usd,
  cache_read_per_million token_price_usd,
  cache_write_5m_per_million token_price_usd,
  cache_write_1h_per_million token_price_usd,
  input_audio_per_million token_price_usd,
  input_image_per_million token_price_usd,
  output_per_million token_price_usd,
  reasoning_per_million token_price_usd,
  output_audio_per_million token_price_usd,
  output_image_per_million token_price_usd,
  per_request token_price_usd not null default 0,
  per_image token_price_usd,
  per_web_search token_price_usd,
  per_audio_hour token_price_usd,
  created_at timestamp with time zone not null default now(),
  created_by text not null default CURRENT_USER,
  constraint token_prices_model_pattern CHECK (((length(model_pattern) >= 1) AND (length(model_pattern) <= 256))),
  constraint token_prices_names_a_price CHECK (((num_nonnulls(input_per_million, cache_read_per_million, cache_write_5m_per_million, cache_write_1h_per_million, input_audio_per_million, input_image_per_million, output_per_million, reasoning_per_million, output_audio_per_million, output_image_per_million, per_image, per_web_search, per_audio_hour) > 0) OR ((per_request)::numeric > (0)::numeric))),
  constraint token_prices_one_at_a_time EXCLUDE USING gist (token_price_text(lower(provider), lower(provider), '[]'::text) WITH &&, token_price_text(lower(model_pattern), lower(model_pattern), '[]'::text) WITH &&, token_price_text(lower(service_tier), lower(service_tier), '[]'::text) WITH &&, tstzrange(valid_from, valid_to) WITH &&),
  constraint token_prices_period CHECK ((isfinite(valid_from) AND ((valid_to IS NULL) OR (isfinite(valid_to) AND (valid_to >= valid_from))))),
  constraint token_prices_pkey PRIMARY KEY (id),
  constraint token_prices_provider CHECK (((length(provider) >= 1) AND (length(provider) <= 256))),
  constraint token_prices_service_tier CHECK (((length(service_tier) >= 1) AND (length(service_tier) <= 64)))
);
CREATE TRIGGER token_prices_keep_row BEFORE DELETE OR UPDATE ON token_prices FOR EACH ROW EXECUTE FUNCTION token_prices_keep();
CREATE TRIGGER token_prices_keep_table BEFORE TRUNCATE ON token_prices FOR EACH STATEMENT EXECUTE FUNCTION token_prices_keep();

create table token_reprice_runs (
  id bigint not null,
  started_at timestamp with time zone not null default now(),
  finished_at timestamp with time zone,
  run_by text not null default CURRENT_USER,
  since timestamp with time zone not null,
  until timestamp with time zone not null,
  model_name text,
  rows_read bigint not null default 0,
  rows_changed bigint not null default 0,
  old_cost numeric not null default 0,
  new_cost numeric not null default 0,
  old_unpriced bigint not null default 0,
  new_unpriced bigint not null default 0,
  constraint token_reprice_runs_pkey PRIMARY KEY (id)
);

create table token_usage_daily (
  day date not null,
  user_email text not null default ''::text,
  provider text not null default ''::text,
  model_name text not null default ''::text,
  request_type text not null default ''::text,
  operation text not null default ''::text,
  project text not null default ''::text,
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
  first_at timestamp with time zone not null,
  last_at timestamp with time zone not null,
  constraint token_usage_daily_pkey PRIMARY KEY (day, user_email, provider, model_name, request_type, operation, project)
);
CREATE TRIGGER token_usage_daily_delete AFTER DELETE ON token_usage_daily REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_count_user_days('-1');
CREATE TRIGGER token_usage_daily_insert AFTER INSERT ON token_usage_daily REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_count_user_days('1');
CREATE TRIGGER token_usage_daily_truncate AFTER TRUNCATE ON token_usage_daily FOR EACH STATEMENT EXECUTE FUNCTION token_usage_clear_user_days();
CREATE TRIGGER token_usage_daily_update AFTER UPDATE ON token_usage_daily REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION token_usage_recount_user_days();

create table token_usage_dead_letters (
  event_id uuid not null,
  failed_at timestamp with time zone not null default now(),
  code text not null,
  reason text not null,
  record json not null,
  constraint token_usage_dead_letters_pkey PRIMARY KEY (event_id)
);
CREATE TRIGGER token_usage_dead_letters_insert_refuse BEFORE INSERT ON token_usage_dead_letters FOR EACH ROW EXECUTE FUNCTION token_usage_refuse_dead_letter();

create table token_usage_logs (
  id integer not null default nextval('token_usage_logs_id_seq'::regclass),
  "timestamp" timestamp with time zone not null default now(),
  user_email text not null,
  model_name text not null,
  input_tokens integer not null,
  output_tokens integer not null,
  request_type text not null,
  session_id text,
  cost_estimate numeric(20,12),
  event_id uuid,
  provider text,
  operation text,
  operation_id text,
  project text,
  cache_read_tokens integer,
  cache_write_tokens integer,
  reasoning_tokens integer,
  input_cost numeric(20,12),
  output_cost numeric(20,12),
  other_cost numeric(20,12),
  cost_source text,
  status text,
  usage_source text,
  response_id text,
  duration_ms integer,
  time_to_first_chunk_ms integer,
  metadata jsonb,
  raw_usage jsonb,
  constraint token_usage_logs_pkey PRIMARY KEY (id)
);
CREATE INDEX idx_model_timestamp ON public.token_usage_logs USING btree (model_name, "timestamp");
CREATE INDEX idx_user_timestamp ON public.token_usage_logs USING btree (user_email, "timestamp");
CREATE UNIQUE INDEX token_usage_logs_event_id_key ON public.token_usage_logs USING btree (event_id);
CREATE INDEX token_usage_logs_timestamp ON public.token_usage_logs USING btree ("timestamp");
CREATE TRIGGER token_usage_logs_0_delete AFTER DELETE ON token_usage_logs REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_lock_user_days();
CREATE TRIGGER token_usage_logs_0_update AFTER UPDATE ON token_usage_logs REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION token_usage_lock_changed_user_days();
CREATE TRIGGER token_usage_logs_delete AFTER DELETE ON token_usage_logs REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_count_rows('-1');
CREATE TRIGGER token_usage_logs_insert AFTER INSERT ON token_usage_logs REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_count_inserted();
CREATE TRIGGER token_usage_logs_insert_refuse AFTER INSERT ON token_usage_logs REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION token_usage_refuse_rows();
CREATE TRIGGER token_usage_logs_truncate AFTER TRUNCATE ON token_usage_logs FOR EACH STATEMENT EXECUTE FUNCTION token_usage_clear_sums();
CREATE TRIGGER token_usage_logs_update_1_lock AFTER UPDATE ON token_usage_logs REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION token_usage_lock_sums();
CREATE TRIGGER token_usage_logs_update_2_subtract AFTER UPDATE ON token_usage_logs REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_count_rows('-1');
CREATE TRIGGER token_usage_logs_update_3_add AFTER UPDATE ON token_usage_logs REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_count_rows('1');
CREATE TRIGGER token_usage_logs_z_delete AFTER DELETE ON token_usage_logs REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_drop_empty_user_days();
CREATE TRIGGER token_usage_logs_z_update AFTER UPDATE ON token_usage_logs REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_drop_empty_user_days();
CREATE TRIGGER token_usage_logs_z_update_new AFTER UPDATE ON token_usage_logs REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION token_usage_drop_empty_user_days();

create table token_usage_losses (
  id uuid not null,
  reason text not null,
  records bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  first_at timestamp with time zone not null,
  last_at timestamp with time zone not null,
  recorded_at timestamp with time zone not null default now(),
  constraint token_usage_losses_pkey PRIMARY KEY (id)
);

create table token_usage_migrations (
  name text not null,
  sha256 text not null,
  applied_at timestamp with time zone not null default now(),
  constraint token_usage_migrations_pkey PRIMARY KEY (name)
);

create table token_usage_settings (
  only_row boolean not null default true,
  time_zone text not null default 'UTC'::text,
  pruned_before timestamp with time zone,
  expired bigint not null default 0,
  erasure_salt text not null default replace(((gen_random_uuid())::text || (gen_random_uuid())::text), '-'::text, ''::text),
  constraint token_usage_settings_only_row_check CHECK (only_row),
  constraint token_usage_settings_pkey PRIMARY KEY (only_row),
  constraint token_usage_settings_time_zone_check CHECK ((('1970-01-01 00:00:00+00'::timestamp with time zone AT TIME ZONE time_zone) IS NOT NULL))
);

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
  first_at timestamp with time zone not null,
  last_at timestamp with time zone not null,
  constraint token_usage_user_days_pkey PRIMARY KEY (day, user_email)
);

create view token_usage_by_day as
 SELECT day,
    sum(requests)::bigint AS requests,
    sum(input_tokens)::bigint AS input_tokens,
    sum(output_tokens)::bigint AS output_tokens,
    sum(cache_read_tokens)::bigint AS cache_read_tokens,
    sum(cache_write_tokens)::bigint AS cache_write_tokens,
    sum(reasoning_tokens)::bigint AS reasoning_tokens,
    sum(cost) AS cost,
    sum(unpriced)::bigint AS unpriced,
    sum(unknown)::bigint AS unknown,
    sum(aborted)::bigint AS aborted,
    sum(failed)::bigint AS failed,
    min(first_at) AS first_at,
    max(last_at) AS last_at
   FROM token_usage_user_days
  GROUP BY day;

create view token_usage_by_model as
 SELECT provider,
    model_name,
    sum(requests)::bigint AS requests,
    sum(input_tokens)::bigint AS input_tokens,
    sum(output_tokens)::bigint AS output_tokens,
    sum(cache_read_tokens)::bigint AS cache_read_tokens,
    sum(cache_write_tokens)::bigint AS cache_write_tokens,
    sum(reasoning_tokens)::bigint AS reasoning_tokens,
    sum(cost) AS cost,
    sum(unpriced)::bigint AS unpriced,
    sum(unknown)::bigint AS unknown,
    sum(aborted)::bigint AS aborted,
    sum(failed)::bigint AS failed,
    min(first_at) AS first_at,
    max(last_at) AS last_at
   FROM token_usage_daily
  GROUP BY provider, model_name;

create view token_usage_users as
 SELECT user_email,
    sum(requests)::bigint AS requests,
    sum(input_tokens)::bigint AS input_tokens,
    sum(output_tokens)::bigint AS output_tokens,
    sum(cache_read_tokens)::bigint AS cache_read_tokens,
    sum(cache_write_tokens)::bigint AS cache_write_tokens,
    sum(reasoning_tokens)::bigint AS reasoning_tokens,
    sum(cost) AS cost,
    sum(unpriced)::bigint AS unpriced,
    sum(unknown)::bigint AS unknown,
    sum(aborted)::bigint AS aborted,
    sum(failed)::bigint AS failed,
    min(first_at) AS first_at,
    max(last_at) AS last_at
   FROM token_usage_user_days
  GROUP BY user_email;

CREATE OR REPLACE FUNCTION public.token_prices_keep()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op <> 'UPDATE' then
    raise exception 'Prices are not removed from token_prices: what they have cost has to stay explained.'
      using errcode = 'restrict_violation', hint = 'End the price: set its valid_to, to its valid_from if it never held.';
  end if;

  if to_jsonb(old) - 'valid_to' <> to_jsonb(new) - 'valid_to' then
    raise exception 'Price % is not changed: what it has cost has to stay explained.', old.id
      using errcode = 'restrict_violation', hint = 'End it by its valid_to, and insert a price that begins there.';
  end if;

  if new.valid_to is null or new.valid_to > old.valid_to then
    raise exception 'Price % ends at %, which may only be brought forward.', old.id, old.valid_to
      using errcode = 'restrict_violation', hint = 'Insert a price that begins there.';
  end if;

  return new;
end
$function$

CREATE OR REPLACE FUNCTION public.token_usage_clear_sums()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  boundary constant timestamptz := coalesce((select pruned_before from token_usage_settings), '-infinity');
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
begin
  delete from token_usage_daily
  where day >= (boundary at time zone zone)::date;

  return null;
end
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_clear_user_days()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  delete from token_usage_user_days;

  return null;
end
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_count_inserted()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
#variable_conflict use_variable
declare
  zone constant text := coalesce((select time_zone from token_usage_settings), 'UTC');
  boundary constant timestamptz := coalesce((select pruned_before from token_usage_settings), '-infinity');
begin
  insert into token_usage_user_days as sums (
    day, user_email,
    requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost, input_cost, output_cost, other_cost,
    unpriced, unknown, aborted, failed,
    first_at, last_at
  )
  select
    (timestamp at time zone zone)::date,
    user_email,
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
  from changed
  where timestamp >= boundary
  group by 1, 2
  order by 1, 2
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

  -- The triggers of token_usage_daily would count the same calls once more.
  perform set_config('tokenledger.counting_anew', 'on', true);

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

  perform set_config('tokenledger.counting_anew', 'off', true);

  return null;
end
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_count_rows()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_count_user_days()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_dead_letter_time(record json)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select to_timestamp(substring(record::text from '"timestamp"\s*:\s*(\d{1,15})')::float8 / 1000)
$function$

CREATE OR REPLACE FUNCTION public.token_usage_dead_letter_user(record json)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select
    ('"' || regexp_replace(
      substring(record::text from '"userEmail"\s*:\s*"((?:[^"\\]|\\.)*)"'),
      '\\u(0000|d[89a-f][0-9a-f]{2})', '', 'gi'
    ) || '"')::json #>> '{}'
$function$

CREATE OR REPLACE FUNCTION public.token_usage_drop_empty_user_days()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_lock_changed_user_days()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_lock_sums()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_lock_user_days()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_rebuild_daily()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  -- Its triggers would change sums that may be wrong, and are counted anew anyway.
  perform set_config('tokenledger.counting_anew', 'on', true);
  perform token_usage_rebuild_daily_sums();
  perform set_config('tokenledger.counting_anew', 'off', true);
  perform token_usage_rebuild_user_days();
end
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_rebuild_daily_sums()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.token_usage_rebuild_user_days()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_recount_user_days()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_refuse_dead_letter()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_refuse_rows()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: owner=X

CREATE OR REPLACE FUNCTION public.token_usage_user_hash(user_email text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select encode(sha256(convert_to(erasure_salt || token_usage_user_key(user_email), 'UTF8')), 'hex')
  from token_usage_settings
$function$

CREATE OR REPLACE FUNCTION public.token_usage_user_key(user_email text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select replace(
    translate(lower(btrim(
      user_email,
      E'\u0009\u000A\u000B\u000C\u000D\u0020\u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A'
        '\u200B\u200C\u200D\u2028\u2029\u202F\u205F\u2060\u3000\uFEFF'
    ) collate public.token_usage_unicode), E'\u03C2', E'\u03C3'),
    E'i\u0307', 'i'
  )
$function$

comment on table public.token_erasures is 'Who was erased, as hashes: calls that these users made up to then are refused. One row for each erasure, also its receipt.';
comment on table column public.token_erasures.anonymized is 'True where the rows were kept under a name that tells nothing.';
comment on table column public.token_erasures.daily_sums is 'How many rows of token_usage_daily were removed; null where they were given another name.';
comment on table column public.token_erasures.dead_letters is 'How many dead letters were removed.';
comment on table column public.token_erasures.erased_at is 'When the user was erased: calls up to this time are refused, later ones are recorded.';
comment on table column public.token_erasures.refused is 'How often a record of this user came later and was refused.';
comment on table column public.token_erasures.spooled is 'How many records were removed from the spool of the machine that erased.';
comment on table column public.token_erasures.usage_rows is 'How many rows of token_usage_logs were removed; null where they were given another name.';
comment on table column public.token_erasures.user_hash is 'SHA-256 of the salt of token_usage_settings and the user in lower case without surrounding blanks, in hexadecimal.';
comment on type public.token_price_text is 'A range of texts, for the constraint of token_prices.';
comment on type public.token_price_usd is 'A price in US dollars, from 0 to 1,000,000 with at most 12 decimal places.';
comment on table public.token_prices is 'Your own prices, which go before the list that comes along. Dated and appended; a price is ended and never changed.';
comment on table column public.token_prices.cache_read_per_million is 'The same for input read from a cache; where null, as input.';
comment on table column public.token_prices.cache_write_1h_per_million is 'The same for input written to a cache for an hour; where null, as for five minutes.';
comment on table column public.token_prices.cache_write_5m_per_million is 'The same for input written to a cache, for five minutes or a time that nobody tells; where null, as input.';
comment on table column public.token_prices.created_at is 'When it was entered.';
comment on table column public.token_prices.created_by is 'The database user who entered it.';
comment on table column public.token_prices.id is 'Number of the price.';
comment on table column public.token_prices.input_audio_per_million is 'The same for input of audio; where null, as input.';
comment on table column public.token_prices.input_image_per_million is 'The same for input of images; where null, as input.';
comment on table column public.token_prices.input_per_million is 'US dollars for a million input tokens. Tokens of a kind that has no price here leave a call without a cost; 0 is free.';
comment on table column public.token_prices.model_pattern is 'The model as rows name it, in any case; * stands for any characters. Of several that fit, the one with the most other characters holds.';
comment on table column public.token_prices.output_audio_per_million is 'The same for output of audio; where null, as output.';
comment on table column public.token_prices.output_image_per_million is 'The same for output of images; where null, as output.';
comment on table column public.token_prices.output_per_million is 'US dollars for a million output tokens.';
comment on table column public.token_prices.per_audio_hour is 'US dollars for an hour of audio, where its tokens are not counted.';
comment on table column public.token_prices.per_image is 'US dollars for each image made, where its tokens are not counted.';
comment on table column public.token_prices.per_request is 'US dollars for each call, besides its tokens.';
comment on table column public.token_prices.per_web_search is 'US dollars for each web search of the provider.';
comment on table column public.token_prices.provider is 'The provider as rows name it; * for any, and for rows that name none.';
comment on table column public.token_prices.reasoning_per_million is 'The same for output that is reasoning; where null, as output.';
comment on table column public.token_prices.service_tier is 'The service tier: batch, flex, priority, ..., or standard; * for every tier that has no price of its own.';
comment on table column public.token_prices.valid_from is 'The first moment it holds for.';
comment on table column public.token_prices.valid_to is 'The first moment it no longer holds for; null while it has no end. A price that ends where it begins never held.';
comment on function public.token_prices_keep() is 'Lets a price of token_prices be ended, and nothing else.';
comment on table public.token_reprice_runs is 'One row for each run of "tokenledger reprice", dry runs apart. Nothing reads it but you.';
comment on table column public.token_reprice_runs.finished_at is 'When it ended; null while it runs, and where it was cut off. What it had done by then is counted here and stays.';
comment on table column public.token_reprice_runs.id is 'Number of the run.';
comment on table column public.token_reprice_runs.model_name is 'The model it was limited to; null for all.';
comment on table column public.token_reprice_runs.new_cost is 'Sum of their costs afterwards.';
comment on table column public.token_reprice_runs.new_unpriced is 'How many of them have none afterwards.';
comment on table column public.token_reprice_runs.old_cost is 'Sum of their costs before, in US dollars.';
comment on table column public.token_reprice_runs.old_unpriced is 'How many of them had no cost before.';
comment on table column public.token_reprice_runs.rows_changed is 'Those whose cost or its parts changed.';
comment on table column public.token_reprice_runs.rows_read is 'Rows priced anew so far: neither those whose cost the provider reported nor those whose cost came with the entry.';
comment on table column public.token_reprice_runs.run_by is 'The database user who ran it.';
comment on table column public.token_reprice_runs.since is 'Beginning of the range of calls.';
comment on table column public.token_reprice_runs.started_at is 'When it began.';
comment on table column public.token_reprice_runs.until is 'End of the range, itself not in it.';
comment on view public.token_usage_by_day is 'What was used on each day of the reporting time zone.';
comment on view column public.token_usage_by_day.aborted is 'Number of calls that were broken off.';
comment on view column public.token_usage_by_day.cache_read_tokens is 'Part of input_tokens that came from a cache.';
comment on view column public.token_usage_by_day.cache_write_tokens is 'Part of input_tokens that went into a cache.';
comment on view column public.token_usage_by_day.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on view column public.token_usage_by_day.day is 'The day in the reporting time zone.';
comment on view column public.token_usage_by_day.failed is 'Number of calls that ended with an error.';
comment on view column public.token_usage_by_day.first_at is 'Time of the first call.';
comment on view column public.token_usage_by_day.input_tokens is 'Sum of the known input tokens, cache reads and writes included.';
comment on view column public.token_usage_by_day.last_at is 'Time of the last call.';
comment on view column public.token_usage_by_day.output_tokens is 'Sum of the known output tokens, reasoning included.';
comment on view column public.token_usage_by_day.reasoning_tokens is 'Part of output_tokens that was reasoning.';
comment on view column public.token_usage_by_day.requests is 'Number of calls.';
comment on view column public.token_usage_by_day.unknown is 'Number of calls whose token counts nobody knows.';
comment on view column public.token_usage_by_day.unpriced is 'Number of calls without a cost.';
comment on view public.token_usage_by_model is 'How much each model was used so far.';
comment on view column public.token_usage_by_model.aborted is 'Number of calls that were broken off.';
comment on view column public.token_usage_by_model.cache_read_tokens is 'Part of input_tokens that came from a cache.';
comment on view column public.token_usage_by_model.cache_write_tokens is 'Part of input_tokens that went into a cache.';
comment on view column public.token_usage_by_model.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on view column public.token_usage_by_model.failed is 'Number of calls that ended with an error.';
comment on view column public.token_usage_by_model.first_at is 'Time of the first call.';
comment on view column public.token_usage_by_model.input_tokens is 'Sum of the known input tokens, cache reads and writes included.';
comment on view column public.token_usage_by_model.last_at is 'Time of the last call.';
comment on view column public.token_usage_by_model.model_name is 'The model.';
comment on view column public.token_usage_by_model.output_tokens is 'Sum of the known output tokens, reasoning included.';
comment on view column public.token_usage_by_model.provider is 'The provider; empty where the rows name none.';
comment on view column public.token_usage_by_model.reasoning_tokens is 'Part of output_tokens that was reasoning.';
comment on view column public.token_usage_by_model.requests is 'Number of calls.';
comment on view column public.token_usage_by_model.unknown is 'Number of calls whose token counts nobody knows.';
comment on view column public.token_usage_by_model.unpriced is 'Number of calls without a cost.';
comment on function public.token_usage_clear_sums() is 'Empties token_usage_daily with its table.';
comment on function public.token_usage_clear_user_days() is 'Empties token_usage_user_days with its table.';
comment on function public.token_usage_count_inserted() is 'Adds the rows of one insert to token_usage_user_days and token_usage_daily.';
comment on function public.token_usage_count_rows() is 'Adds the rows of one statement to token_usage_daily, or takes them away; its argument says which.';
comment on function public.token_usage_count_user_days() is 'Adds rows of token_usage_daily to token_usage_user_days, or takes them away; its argument says which.';
comment on table public.token_usage_daily is 'Sums of token_usage_logs by day, kept by its triggers whoever writes. Not to be written by hand.';
comment on table column public.token_usage_daily.aborted is 'Number of calls that were broken off.';
comment on table column public.token_usage_daily.cache_read_tokens is 'Sum of the known cache reads, part of input_tokens.';
comment on table column public.token_usage_daily.cache_write_tokens is 'Sum of the known cache writes, part of input_tokens.';
comment on table column public.token_usage_daily.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on table column public.token_usage_daily.day is 'The day in the reporting time zone of token_usage_settings.';
comment on table column public.token_usage_daily.failed is 'Number of calls that ended with an error.';
comment on table column public.token_usage_daily.first_at is 'Time of the first call.';
comment on table column public.token_usage_daily.input_cost is 'Part of cost for input, as far as it is told apart.';
comment on table column public.token_usage_daily.input_tokens is 'Sum of the known input tokens.';
comment on table column public.token_usage_daily.last_at is 'Time of the last call.';
comment on table column public.token_usage_daily.model_name is 'The model.';
comment on table column public.token_usage_daily.operation is 'What the application was doing; empty where the rows name nothing.';
comment on table column public.token_usage_daily.other_cost is 'Part of cost for fees and tools, as far as it is told apart.';
comment on table column public.token_usage_daily.output_cost is 'Part of cost for output, as far as it is told apart.';
comment on table column public.token_usage_daily.output_tokens is 'Sum of the known output tokens.';
comment on table column public.token_usage_daily.project is 'The project; empty where the rows name none.';
comment on table column public.token_usage_daily.provider is 'The provider; empty where the rows name none.';
comment on table column public.token_usage_daily.reasoning_tokens is 'Sum of the known reasoning tokens, part of output_tokens.';
comment on table column public.token_usage_daily.request_type is 'Kind of the calls.';
comment on table column public.token_usage_daily.requests is 'Number of calls; a row with none is removed.';
comment on table column public.token_usage_daily.unknown is 'Number of calls whose token counts nobody knows.';
comment on table column public.token_usage_daily.unpriced is 'Number of calls without a cost, or with one that is not a number.';
comment on table column public.token_usage_daily.user_email is 'Who made the calls.';
comment on function public.token_usage_dead_letter_time(json) is 'The time of the call of a dead letter''s record; null where it tells none.';
comment on function public.token_usage_dead_letter_user(json) is 'The user of a dead letter''s record; null where it names none.';
comment on table public.token_usage_dead_letters is 'Usage records that token_usage_logs refused, whole, with the reason.';
comment on table column public.token_usage_dead_letters.code is 'SQLSTATE of the refusal.';
comment on table column public.token_usage_dead_letters.event_id is 'The event_id that the row would have had.';
comment on table column public.token_usage_dead_letters.failed_at is 'When the record was refused.';
comment on table column public.token_usage_dead_letters.reason is 'What the refusal means, without values of the record.';
comment on table column public.token_usage_dead_letters.record is 'The record as it was to be written.';
comment on function public.token_usage_drop_empty_user_days() is 'Removes the sums by day and user that a statement has left empty.';
comment on function public.token_usage_lock_changed_user_days() is 'Does for an update what token_usage_lock_user_days does for other statements.';
comment on function public.token_usage_lock_sums() is 'Takes the sums that an update touches, in the order of their key.';
comment on function public.token_usage_lock_user_days() is 'Takes the sums by day and user that a statement touches, in the order of their key.';
comment on table public.token_usage_logs is 'One row for each model call: who made it, what was called, what it consumed. Never content.';
comment on table column public.token_usage_logs."timestamp" is 'When the call was made, not when the row was written.';
comment on table column public.token_usage_logs.cache_read_tokens is 'Part of input_tokens that came from the provider''s cache; null where unknown.';
comment on table column public.token_usage_logs.cache_write_tokens is 'Part of input_tokens that went into the provider''s cache; null where unknown.';
comment on table column public.token_usage_logs.cost_estimate is 'Cost of the call in US dollars; null where it has no price.';
comment on table column public.token_usage_logs.cost_source is 'Where the cost comes from: provider, list, override or entry.';
comment on table column public.token_usage_logs.duration_ms is 'Milliseconds from the call to its end.';
comment on table column public.token_usage_logs.event_id is 'Identity of the call, fixed before it is first written anywhere; null in rows that another program wrote.';
comment on table column public.token_usage_logs.id is 'Number of the row in this table.';
comment on table column public.token_usage_logs.input_cost is 'Part of cost_estimate for input, in US dollars.';
comment on table column public.token_usage_logs.input_tokens is 'Tokens the model read, cache reads and writes included; 0 with usage_source unknown where nobody knows.';
comment on table column public.token_usage_logs.metadata is 'What the application added.';
comment on table column public.token_usage_logs.model_name is 'The model that answered.';
comment on table column public.token_usage_logs.operation is 'What the application was doing.';
comment on table column public.token_usage_logs.operation_id is 'The application''s own id of what it was doing.';
comment on table column public.token_usage_logs.other_cost is 'Part of cost_estimate for fees and tools, in US dollars.';
comment on table column public.token_usage_logs.output_cost is 'Part of cost_estimate for output, in US dollars.';
comment on table column public.token_usage_logs.output_tokens is 'Tokens the model produced, reasoning included; 0 with usage_source unknown where nobody knows.';
comment on table column public.token_usage_logs.project is 'The project that the call is counted for.';
comment on table column public.token_usage_logs.provider is 'The provider that was called.';
comment on table column public.token_usage_logs.raw_usage is 'The provider''s own numbers, and what changes the price.';
comment on table column public.token_usage_logs.reasoning_tokens is 'Part of output_tokens that was reasoning; null where unknown.';
comment on table column public.token_usage_logs.request_type is 'Kind of the call: chat, image, ...';
comment on table column public.token_usage_logs.response_id is 'The provider''s id of its answer.';
comment on table column public.token_usage_logs.session_id is 'The session of the application that the call belongs to.';
comment on table column public.token_usage_logs.status is 'How the call ended: ok, error or aborted; null in rows that another program wrote.';
comment on table column public.token_usage_logs.time_to_first_chunk_ms is 'Milliseconds from the call to the first piece of a streamed answer.';
comment on table column public.token_usage_logs.usage_source is 'Where the counts come from: provider, provider_partial, estimated, fixed, unknown, entry or imported; null in rows that another program wrote.';
comment on table column public.token_usage_logs.user_email is 'Who made the call; anonymous where nobody is known.';
comment on table public.token_usage_losses is 'Records that had to be dropped, counted together by reason: what token_usage_logs does not contain.';
comment on table column public.token_usage_losses.first_at is 'Time of the first call among them.';
comment on table column public.token_usage_losses.id is 'Identity of the loss, fixed before it is first written.';
comment on table column public.token_usage_losses.input_tokens is 'Their input tokens.';
comment on table column public.token_usage_losses.last_at is 'Time of the last call among them.';
comment on table column public.token_usage_losses.output_tokens is 'Their output tokens.';
comment on table column public.token_usage_losses.reason is 'Why the records were dropped.';
comment on table column public.token_usage_losses.recorded_at is 'When the loss was written down.';
comment on table column public.token_usage_losses.records is 'How many records were dropped.';
comment on table public.token_usage_migrations is 'The migrations that this schema has been through.';
comment on table column public.token_usage_migrations.applied_at is 'When it was applied.';
comment on table column public.token_usage_migrations.name is 'Name of the file.';
comment on table column public.token_usage_migrations.sha256 is 'Of the file as it was applied, with plain line feeds.';
comment on function public.token_usage_rebuild_daily() is 'Counts token_usage_daily anew from the rows, and token_usage_user_days from it. Writers wait until the end of the transaction.';
comment on function public.token_usage_rebuild_daily_sums() is 'Counts token_usage_daily anew from the rows. Writers wait until the transaction ends; readers do not. Call it at isolation level read committed.';
comment on function public.token_usage_rebuild_user_days() is 'Counts token_usage_user_days anew from token_usage_daily.';
comment on function public.token_usage_recount_user_days() is 'Brings token_usage_user_days after an update of token_usage_daily.';
comment on function public.token_usage_refuse_dead_letter() is 'Keeps a dead letter out whose user was erased after the call.';
comment on function public.token_usage_refuse_rows() is 'Takes rows away again, as they are inserted, that were pruned or erased.';
comment on table public.token_usage_settings is 'Settings that hold for every process that uses this database: one row.';
comment on table column public.token_usage_settings.erasure_salt is 'Goes into the hashes of token_erasures, so that they are of use in this database only. Never to be changed.';
comment on table column public.token_usage_settings.expired is 'How often a row of before pruned_before came and was refused.';
comment on table column public.token_usage_settings.only_row is 'Always true: there is one row.';
comment on table column public.token_usage_settings.pruned_before is 'Start of the first day whose rows are kept: rows of earlier calls were pruned and are refused, and the sums of earlier days stay as they are. Null where nothing was ever pruned. Moved by "tokenledger prune", forwards only.';
comment on table column public.token_usage_settings.time_zone is 'The reporting time zone, which decides what a day is. Changed by "tokenledger migrate --time-zone", never by hand: the daily sums change with it.';
comment on table public.token_usage_user_days is 'Sums of token_usage_daily by day and user, kept by its triggers. Not to be written by hand.';
comment on table column public.token_usage_user_days.aborted is 'Number of calls that were broken off.';
comment on table column public.token_usage_user_days.cache_read_tokens is 'Sum of the known cache reads, part of input_tokens.';
comment on table column public.token_usage_user_days.cache_write_tokens is 'Sum of the known cache writes, part of input_tokens.';
comment on table column public.token_usage_user_days.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on table column public.token_usage_user_days.day is 'The day in the reporting time zone of token_usage_settings.';
comment on table column public.token_usage_user_days.failed is 'Number of calls that ended with an error.';
comment on table column public.token_usage_user_days.first_at is 'Time of the first call.';
comment on table column public.token_usage_user_days.input_cost is 'Part of cost for input, as far as it is told apart.';
comment on table column public.token_usage_user_days.input_tokens is 'Sum of the known input tokens.';
comment on table column public.token_usage_user_days.last_at is 'Time of the last call.';
comment on table column public.token_usage_user_days.other_cost is 'Part of cost for fees and tools, as far as it is told apart.';
comment on table column public.token_usage_user_days.output_cost is 'Part of cost for output, as far as it is told apart.';
comment on table column public.token_usage_user_days.output_tokens is 'Sum of the known output tokens.';
comment on table column public.token_usage_user_days.reasoning_tokens is 'Sum of the known reasoning tokens, part of output_tokens.';
comment on table column public.token_usage_user_days.requests is 'Number of calls; a row with none is removed.';
comment on table column public.token_usage_user_days.unknown is 'Number of calls whose token counts nobody knows.';
comment on table column public.token_usage_user_days.unpriced is 'Number of calls without a cost, or with one that is not a number.';
comment on table column public.token_usage_user_days.user_email is 'Who made the calls.';
comment on function public.token_usage_user_hash(text) is 'The user_hash of a user, whatever the spelling.';
comment on function public.token_usage_user_key(text) is 'What all spellings of a user have in common: lower case, no blanks around.';
comment on view public.token_usage_users is 'What each user has used so far.';
comment on view column public.token_usage_users.aborted is 'Number of calls that were broken off.';
comment on view column public.token_usage_users.cache_read_tokens is 'Part of input_tokens that came from a cache.';
comment on view column public.token_usage_users.cache_write_tokens is 'Part of input_tokens that went into a cache.';
comment on view column public.token_usage_users.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on view column public.token_usage_users.failed is 'Number of calls that ended with an error.';
comment on view column public.token_usage_users.first_at is 'Time of the first call.';
comment on view column public.token_usage_users.input_tokens is 'Sum of the known input tokens, cache reads and writes included.';
comment on view column public.token_usage_users.last_at is 'Time of the last call.';
comment on view column public.token_usage_users.output_tokens is 'Sum of the known output tokens, reasoning included.';
comment on view column public.token_usage_users.reasoning_tokens is 'Part of output_tokens that was reasoning.';
comment on view column public.token_usage_users.requests is 'Number of calls.';
comment on view column public.token_usage_users.unknown is 'Number of calls whose token counts nobody knows.';
comment on view column public.token_usage_users.unpriced is 'Number of calls without a cost.';
comment on view column public.token_usage_users.user_email is 'Who made the calls.';
