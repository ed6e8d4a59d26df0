-- What calls add up to, by period and by one dimension: from the narrowest sums that can tell, or from the rows.
-- Groups beyond the first ones are one group without a name, so that the result always adds up to the total.
-- $1, $2: first and last day. $3 to $8: user, model, provider, operation, project, request type. $9: reporting zone.
-- $10, $11: first instant and end. $12: status. $13: source. $14: period. $15: dimension. $16: groups. $17: order.
with sums as (
  select
    case $14::text
      when 'day' then at
      when 'week' then date_trunc('week', at)
      when 'month' then date_trunc('month', at)
      when 'hour' then at
    end as period,
    case $15::text
      when 'user' then user_email
      when 'model' then model_name
      when 'provider' then provider
      when 'operation' then operation
      when 'project' then project
      when 'requestType' then request_type
    end as name,
    case $15 when 'model' then provider end as provider,
    sum(requests) as requests,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens,
    sum(cache_read_tokens) as cache_read_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(reasoning_tokens) as reasoning_tokens,
    sum(cost) as cost,
    sum(input_cost) as input_cost,
    sum(output_cost) as output_cost,
    sum(other_cost) as other_cost,
    sum(unpriced) as unpriced,
    sum(unknown) as unknown,
    sum(aborted) as aborted,
    sum(failed) as failed
  from (
    select
      day::timestamp as at,
      user_email,
      model_name,
      provider,
      operation,
      project,
      request_type,
      requests,
      input_tokens,
      output_tokens,
      cache_read_tokens,
      cache_write_tokens,
      reasoning_tokens,
      cost,
      input_cost,
      output_cost,
      other_cost,
      unpriced,
      unknown,
      aborted,
      failed
    from token_usage_daily
    where $13::text = 'days'
      and day between $1::date and $2::date
      and ($3::text is null or user_email = $3)
      and ($4::text is null or model_name = $4)
      and ($5::text is null or provider = $5)
      and ($6::text is null or operation = $6)
      and ($7::text is null or project = $7)
      and ($8::text is null or request_type = $8)
    union all
    select
      day::timestamp,
      user_email,
      null,
      null,
      null,
      null,
      null,
      requests,
      input_tokens,
      output_tokens,
      cache_read_tokens,
      cache_write_tokens,
      reasoning_tokens,
      cost,
      input_cost,
      output_cost,
      other_cost,
      unpriced,
      unknown,
      aborted,
      failed
    from token_usage_user_days
    where $13 = 'user-days'
      and day between $1 and $2
      and ($3 is null or user_email = $3)
    union all
    select
      case $14
        when 'hour' then date_trunc('hour', timestamp, $9::text) at time zone 'UTC'
        else date_trunc('day', timestamp at time zone $9)
      end,
      user_email,
      model_name,
      coalesce(provider, ''),
      coalesce(operation, ''),
      coalesce(project, ''),
      request_type,
      1,
      input_tokens,
      output_tokens,
      coalesce(cache_read_tokens, 0),
      coalesce(cache_write_tokens, 0),
      coalesce(reasoning_tokens, 0),
      nullif(cost_estimate, 'NaN'),
      nullif(input_cost, 'NaN'),
      nullif(output_cost, 'NaN'),
      nullif(other_cost, 'NaN'),
      (nullif(cost_estimate, 'NaN') is null)::integer,
      (usage_source is not distinct from 'unknown')::integer,
      (status is not distinct from 'aborted')::integer,
      (status is not distinct from 'error')::integer
    from token_usage_logs
    where $13 = 'rows'
      and timestamp >= $10::timestamptz
      and timestamp < $11::timestamptz
      and ($1 is null or (timestamp at time zone $9)::date between $1 and $2)
      and ($3 is null or user_email = $3)
      and ($4 is null or model_name = $4)
      and ($5 is null or coalesce(provider, '') = $5)
      and ($6 is null or coalesce(operation, '') = $6)
      and ($7 is null or coalesce(project, '') = $7)
      and ($8 is null or request_type = $8)
      and ($12::text is null or status = $12)
  ) as usage
  group by 1, 2, 3
),
totals as (
  select
    *,
    sum(requests) over grouped as group_requests,
    case $17::text
      when 'cost' then sum(cost) over grouped
      when 'requests' then sum(requests) over grouped
      when 'tokens' then sum(input_tokens + output_tokens) over grouped
    end as weight
  from sums
  window grouped as (partition by name, provider)
),
places as (
  select
    *,
    dense_rank() over (order by weight desc nulls last, group_requests desc, name, provider) as place
  from totals
),
shown as (
  select
    period,
    least(place, $16::integer + 1) as place,
    case when place <= $16 then name end as name,
    case when place <= $16 then provider end as provider,
    sum(requests) as requests,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens,
    sum(cache_read_tokens) as cache_read_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(reasoning_tokens) as reasoning_tokens,
    coalesce(sum(cost), 0) as cost,
    coalesce(sum(input_cost), 0) as input_cost,
    coalesce(sum(output_cost), 0) as output_cost,
    coalesce(sum(other_cost), 0) as other_cost,
    sum(unpriced) as unpriced,
    sum(unknown) as unknown,
    sum(aborted) as aborted,
    sum(failed) as failed
  from places
  group by 1, 2, 3, 4
)
select
  case $14
    when 'hour' then to_char(period, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    else period::date::text
  end as period,
  name as "group",
  provider,
  requests::float8 as requests,
  case when unknown < requests then input_tokens::float8 end as "inputTokens",
  case when unknown < requests then output_tokens::float8 end as "outputTokens",
  cache_read_tokens::float8 as "cacheReadTokens",
  cache_write_tokens::float8 as "cacheWriteTokens",
  reasoning_tokens::float8 as "reasoningTokens",
  case when unpriced < requests then trim_scale(cost)::text end as "costUsd",
  trim_scale(input_cost)::text as "inputCostUsd",
  trim_scale(output_cost)::text as "outputCostUsd",
  trim_scale(other_cost)::text as "otherCostUsd",
  unpriced::float8 as unpriced,
  unknown::float8 as unknown,
  aborted::float8 as aborted,
  failed::float8 as failed,
  trim_scale(round(cost / nullif(requests - unpriced, 0), 12))::text as "costPerCallUsd",
  ((input_tokens + output_tokens) / nullif(requests - unknown, 0))::float8 as "tokensPerCall",
  (output_tokens / nullif(input_tokens, 0))::float8 as "outputPerInput",
  (cache_read_tokens / nullif(input_tokens, 0))::float8 as "cacheHitRate",
  (failed / nullif(requests, 0))::float8 as "errorRate",
  (aborted / nullif(requests, 0))::float8 as "abortRate"
from shown
order by period, place;
