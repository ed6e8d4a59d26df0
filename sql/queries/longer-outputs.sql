-- What has become longer: output of one operation with one model, beside the period of the same length before.
-- $1, $2: first and last day. $3 to $8: user, model, provider, operation, project, request type.
-- $9, $10: first and last day of the period before. $11: calls with known counts that each period needs.
-- $12: how many times as long. $13: how many.
with periods as (
  select
    operation,
    request_type,
    provider,
    model_name,
    day >= $1::date as is_current,
    sum(requests - unknown) as counted,
    sum(output_tokens) as output_tokens,
    sum(output_cost) as output_cost
  from token_usage_daily
  where (day between $1 and $2::date or day between $9::date and $10::date)
    and ($3::text is null or user_email = $3)
    and ($4::text is null or model_name = $4)
    and ($5::text is null or provider = $5)
    and ($6::text is null or operation = $6)
    and ($7::text is null or project = $7)
    and ($8::text is null or request_type = $8)
  group by operation, request_type, provider, model_name, day >= $1
  having sum(requests - unknown) >= $11::numeric
)
select
  operation,
  request_type as "requestType",
  provider,
  model_name as "modelName",
  now.counted::float8 as requests,
  (now.output_tokens / now.counted)::float8 as "outputPerCall",
  before.counted::float8 as "previousRequests",
  (before.output_tokens / before.counted)::float8 as "previousOutputPerCall",
  round(now.output_tokens - now.counted * before.output_tokens / before.counted)::float8 as "additionalTokens",
  trim_scale(now.output_cost)::text as "outputCostUsd"
from periods as now
join periods as before using (operation, request_type, provider, model_name)
where now.is_current
  and not before.is_current
  and before.output_tokens > 0
  and now.output_tokens * before.counted >= $12::numeric * before.output_tokens * now.counted
order by
  now.output_tokens - now.counted * before.output_tokens / before.counted desc,
  operation,
  request_type,
  provider,
  model_name
limit $13;
