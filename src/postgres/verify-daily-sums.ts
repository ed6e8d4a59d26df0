/** How many differences are named. */
export const longestList = 10

const key = 'day, user_email, provider, model_name, request_type, operation, project'

const sums = [
  'requests',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'reasoning_tokens',
  'cost',
  'input_cost',
  'output_cost',
  'other_cost',
  'unpriced',
  'unknown',
  'aborted',
  'failed',
  'first_at',
  'last_at',
]
const of = (side: string): string => sums.map((column) => `${side}.${column}`).join(', ')

/**
 * The rows of `token_usage_daily` that differ from what the rows of `token_usage_logs` add up to, those that only one side
 * has included: as many as `$1` says, in the order of the key, each with the number of all of them as `differences`. Days
 * whose rows were pruned are left out.
 */
export const selectDifferences = `
  with settings as (
    select
      coalesce((select time_zone from token_usage_settings), 'UTC') as time_zone,
      coalesce((select pruned_before from token_usage_settings), '-infinity') as pruned_before
  ),
  counted as (
    select
      (timestamp at time zone (select time_zone from settings))::date as day,
      user_email,
      coalesce(provider, '') as provider,
      model_name,
      request_type,
      coalesce(operation, '') as operation,
      coalesce(project, '') as project,
      count(*) as requests,
      sum(input_tokens) as input_tokens,
      sum(output_tokens) as output_tokens,
      coalesce(sum(cache_read_tokens), 0) as cache_read_tokens,
      coalesce(sum(cache_write_tokens), 0) as cache_write_tokens,
      coalesce(sum(reasoning_tokens), 0) as reasoning_tokens,
      coalesce(sum(nullif(cost_estimate, 'NaN')), 0) as cost,
      coalesce(sum(nullif(input_cost, 'NaN')), 0) as input_cost,
      coalesce(sum(nullif(output_cost, 'NaN')), 0) as output_cost,
      coalesce(sum(nullif(other_cost, 'NaN')), 0) as other_cost,
      count(*) - count(nullif(cost_estimate, 'NaN')) as unpriced,
      count(*) filter (where usage_source = 'unknown') as unknown,
      count(*) filter (where status = 'aborted') as aborted,
      count(*) filter (where status = 'error') as failed,
      min(timestamp) as first_at,
      max(timestamp) as last_at
    from token_usage_logs
    where timestamp >= (select pruned_before from settings)
    group by 1, 2, 3, 4, 5, 6, 7
  ),
  kept as (
    select *
    from token_usage_daily
    where day >= (select (pruned_before at time zone time_zone)::date from settings)
  ),
  differing as (
    select
      ${key},
      to_jsonb(kept) as kept,
      to_jsonb(counted) as counted,
      count(*) over () as differences
    from kept
    full join counted using (${key})
    where (${of('kept')}) is distinct from (${of('counted')})
    order by ${key}
    limit $1
  )
  select
    differences::float8 as differences,
    day::text as day,
    user_email as "userEmail",
    provider,
    model_name as "modelName",
    request_type as "requestType",
    operation,
    project,
    (
      select json_agg(
        json_build_object('name', name, 'kept', kept -> name #>> '{}', 'counted', counted -> name #>> '{}')
        order by position
      )
      from unnest(array['${sums.join("', '")}']) with ordinality as columns (name, position)
      where kept -> name is distinct from counted -> name
    ) as columns
  from differing
  order by ${key}`

/** How many sums by user and day differ from the daily sums. */
export const countUserDayDifferences = `
  select count(*)::float8 as differences
  from token_usage_user_days as sums
  full join (
    select
      day, user_email,
      sum(requests) as requests, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens, sum(cache_read_tokens) as cache_read_tokens, sum(cache_write_tokens) as cache_write_tokens, sum(reasoning_tokens) as reasoning_tokens, sum(cost) as cost, sum(input_cost) as input_cost, sum(output_cost) as output_cost, sum(other_cost) as other_cost, sum(unpriced) as unpriced, sum(unknown) as unknown, sum(aborted) as aborted, sum(failed) as failed,
      min(first_at) as first_at, max(last_at) as last_at
    from token_usage_daily
    group by day, user_email
  ) as daily using (day, user_email)
  where (sums.requests, sums.input_tokens, sums.output_tokens, sums.cache_read_tokens, sums.cache_write_tokens, sums.reasoning_tokens, sums.cost, sums.input_cost, sums.output_cost, sums.other_cost, sums.unpriced, sums.unknown, sums.aborted, sums.failed, sums.first_at, sums.last_at)
    is distinct from (daily.requests, daily.input_tokens, daily.output_tokens, daily.cache_read_tokens, daily.cache_write_tokens, daily.reasoning_tokens, daily.cost, daily.input_cost, daily.output_cost, daily.other_cost, daily.unpriced, daily.unknown, daily.aborted, daily.failed, daily.first_at, daily.last_at)`
