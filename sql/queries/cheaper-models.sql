-- For what an operation does with one model, the model that does the same operation for less: what the tokens of the one
-- would have cost at what the other's tokens cost on average. Days with calls whose tokens have no price are left out.
-- $1, $2: first and last day. $3 to $8: user, model, provider, operation, project, request type.
-- $9: calls that each needs. $10: what has to be saved, in US dollars. $11: and as a share of the cost. $12: how many.
with models as (
  select
    operation,
    request_type,
    provider,
    model_name,
    sum(requests) as requests,
    sum(input_tokens + output_tokens) as tokens,
    sum(cost) as cost
  from token_usage_daily
  where day between $1::date and $2::date
    and ($3::text is null or user_email = $3)
    and ($4::text is null or model_name = $4)
    and ($5::text is null or provider = $5)
    and ($6::text is null or operation = $6)
    and ($7::text is null or project = $7)
    and ($8::text is null or request_type = $8)
    and unpriced <= unknown
  group by operation, request_type, provider, model_name
  having sum(requests) >= $9::numeric and sum(input_tokens + output_tokens) > 0
),
pairs as (
  select distinct on (used.operation, used.request_type, used.provider, used.model_name)
    used.*,
    other.provider as other_provider,
    other.model_name as other_model,
    other.requests as other_requests,
    other.cost / other.tokens as other_rate
  from models as used
  join models as other using (operation, request_type)
  where (other.provider, other.model_name) <> (used.provider, used.model_name)
  order by
    used.operation,
    used.request_type,
    used.provider,
    used.model_name,
    other.cost / other.tokens,
    other.provider,
    other.model_name
)
select
  operation,
  request_type as "requestType",
  provider,
  model_name as "modelName",
  requests::float8 as requests,
  tokens::float8 as tokens,
  trim_scale(cost)::text as "costUsd",
  trim_scale(round(cost / tokens * 1000000, 12))::text as "usdPerMillionTokens",
  other_provider as "otherProvider",
  other_model as "otherModelName",
  other_requests::float8 as "otherRequests",
  trim_scale(round(other_rate * 1000000, 12))::text as "otherUsdPerMillionTokens",
  trim_scale(round(cost - tokens * other_rate, 12))::text as "savingUsd"
from pairs
where cost - tokens * other_rate >= greatest($10::numeric, cost * $11::numeric)
order by
  cost - tokens * other_rate desc,
  operation,
  request_type,
  provider,
  model_name
limit $12;
