-- Inserts are what every call waits behind. They had taken the sums by user and day once to hold them, and then twice more
-- through the triggers of token_usage_daily, for its new rows and for its changed ones. Now one function counts the calls in
-- both tables, each once. As before, sums by user and day come first, and each table's in the order of their key.
create function token_usage_count_inserted()
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
$$;

comment on function token_usage_count_inserted() is 'Adds the rows of one insert to token_usage_user_days and token_usage_daily.';

revoke execute on function token_usage_count_inserted() from public;

drop trigger token_usage_logs_0_insert on token_usage_logs;
drop trigger token_usage_logs_insert on token_usage_logs;

create trigger token_usage_logs_insert
  after insert on token_usage_logs
  referencing new table as changed
  for each statement
  execute function token_usage_count_inserted();
