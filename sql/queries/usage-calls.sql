-- Single calls, the latest first, from a place in that order on; or one call by its id, with what the application and the
-- provider added to it.
-- $1 to $12: the scope. $13, $14: time and id of the call before. $15: how many. $16: id of the only one.
select
  id::float8 as id,
  event_id as "eventId",
  to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as timestamp,
  user_email as "userEmail",
  session_id as "sessionId",
  provider,
  model_name as "modelName",
  request_type as "requestType",
  operation,
  operation_id as "operationId",
  project,
  case when usage_source is distinct from 'unknown' then input_tokens::float8 end as "inputTokens",
  case when usage_source is distinct from 'unknown' then output_tokens::float8 end as "outputTokens",
  cache_read_tokens::float8 as "cacheReadTokens",
  cache_write_tokens::float8 as "cacheWriteTokens",
  reasoning_tokens::float8 as "reasoningTokens",
  trim_scale(nullif(cost_estimate, 'NaN'))::text as "costUsd",
  cost_source as "costSource",
  status,
  usage_source as "usageSource",
  response_id as "responseId",
  duration_ms::float8 as "durationMs",
  time_to_first_chunk_ms::float8 as "timeToFirstChunkMs",
  case when $16::bigint is not null then metadata end as metadata,
  case when $16 is not null then raw_usage end as "rawUsage"
from token_usage_logs
where timestamp >= $10::timestamptz
  and timestamp < $11::timestamptz
  and ($1::date is null or (timestamp at time zone $9::text)::date between $1 and $2::date)
  and ($3::text is null or user_email = $3)
  and ($4::text is null or model_name = $4)
  and ($5::text is null or coalesce(provider, '') = $5)
  and ($6::text is null or coalesce(operation, '') = $6)
  and ($7::text is null or coalesce(project, '') = $7)
  and ($8::text is null or request_type = $8)
  and ($12::text is null or status = $12)
  and ($13::timestamptz is null or timestamp <= $13 and (timestamp, id) < ($13, $14::bigint))
  and ($16 is null or id = $16)
order by
  token_usage_logs.timestamp desc,
  token_usage_logs.id desc
limit $15;
