-- Operations that take little of a model's long input from the cache, where another operation with the same model takes a
-- lot from it.
-- $1, $2: first and last day. $3 to $8: user, model, provider, operation, project, request type.
-- $9: calls that each needs. $10: input tokens of a call that make caching worth it. $11: the share from the cache that is
-- low. $12: the one that is high. $13: how many.
with operations as (
  select
    operation,
    request_type,
    provider,
    model_name,
    sum(requests) as requests,
    sum(input_tokens) as input_tokens,
    sum(cache_read_tokens) as cache_read_tokens,
    sum(cache_read_tokens) / nullif(sum(input_tokens), 0) as hit_rate
  from token_usage_daily
  where day between $1::date and $2::date
    and ($3::text is null or user_email = $3)
    and ($4::text is null or model_name = $4)
    and ($5::text is null or provider = $5)
    and ($6::text is null or operation = $6)
    and ($7::text is null or project = $7)
    and ($8::text is null or request_type = $8)
  group by operation, request_type, provider, model_name
  having sum(requests) >= $9::numeric
),
best as (
  select distinct on (provider, model_name) *
  from operations
  where hit_rate >= $12::numeric
  order by provider, model_name, hit_rate desc, operation, request_type
)
select
  low.operation,
  low.request_type as "requestType",
  low.provider,
  low.model_name as "modelName",
  low.requests::float8 as requests,
  low.input_tokens::float8 as "inputTokens",
  low.cache_read_tokens::float8 as "cacheReadTokens",
  low.hit_rate::float8 as "cacheHitRate",
  best.operation as "otherOperation",
  best.request_type as "otherRequestType",
  best.requests::float8 as "otherRequests",
  best.hit_rate::float8 as "otherCacheHitRate",
  round(low.input_tokens * best.hit_rate - low.cache_read_tokens)::float8 as "tokensToCache"
from operations as low
join best using (provider, model_name)
where low.hit_rate < $11::numeric
  and low.input_tokens >= low.requests * $10::numeric
order by
  low.input_tokens * best.hit_rate - low.cache_read_tokens desc,
  low.operation,
  low.request_type,
  low.provider,
  low.model_name
limit $13;
