import type { TestDatabase } from '../support/test-database.js'

const countedRows = `
  select
    (timestamp at time zone (select time_zone from token_usage_settings))::date as day,
    user_email, coalesce(provider, '') as provider, model_name, request_type,
    coalesce(operation, '') as operation, coalesce(project, '') as project,
    count(*) as requests,
    sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    coalesce(sum(cache_read_tokens), 0)::bigint as cache_read_tokens,
    coalesce(sum(cache_write_tokens), 0)::bigint as cache_write_tokens,
    coalesce(sum(reasoning_tokens), 0)::bigint as reasoning_tokens,
    coalesce(sum(cost_estimate) filter (where cost_estimate <> 'NaN'), 0) as cost,
    coalesce(sum(input_cost) filter (where input_cost <> 'NaN'), 0) as input_cost,
    coalesce(sum(output_cost) filter (where output_cost <> 'NaN'), 0) as output_cost,
    coalesce(sum(other_cost) filter (where other_cost <> 'NaN'), 0) as other_cost,
    count(*) filter (where cost_estimate is null or cost_estimate = 'NaN') as unpriced,
    count(*) filter (where usage_source = 'unknown') as unknown,
    count(*) filter (where status = 'aborted') as aborted,
    count(*) filter (where status = 'error') as failed,
    min(timestamp) as first_at,
    max(timestamp) as last_at
  from token_usage_logs
  group by 1, 2, 3, 4, 5, 6, 7`

const countedUserDays = `
  select
    day, user_email,
    sum(requests)::bigint as requests,
    sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(cache_read_tokens)::bigint as cache_read_tokens,
    sum(cache_write_tokens)::bigint as cache_write_tokens,
    sum(reasoning_tokens)::bigint as reasoning_tokens,
    sum(cost) as cost, sum(input_cost) as input_cost, sum(output_cost) as output_cost, sum(other_cost) as other_cost,
    sum(unpriced)::bigint as unpriced,
    sum(unknown)::bigint as unknown,
    sum(aborted)::bigint as aborted,
    sum(failed)::bigint as failed,
    min(first_at) as first_at,
    max(last_at) as last_at
  from counted
  group by day, user_email`

/**
 * Where `token_usage_daily` and `token_usage_user_days` are not what the rows add up to: the sums as they are kept and as
 * they are counted now.
 */
export async function findDailySumsDifferences({ query }: Pick<TestDatabase, 'query'>): Promise<object[]> {
  const daily = await query(differencesOf('token_usage_daily', 'counted'))
  const userDays = await query(differencesOf('token_usage_user_days', `(${countedUserDays}) as user_days`))
  return [...daily, ...userDays]
}

function differencesOf(kept: string, counted: string): string {
  return `
    with counted as (${countedRows})
    (select 'kept' as source, * from ${kept} except all select 'kept', * from ${counted})
    union all
    (select 'counted', * from ${counted} except all select 'counted', * from ${kept})`
}
