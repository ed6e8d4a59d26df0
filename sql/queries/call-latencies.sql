-- How long calls took, as percentiles of the rows: of the calls that ended well, unless another status is asked for.
-- $1 to $12: the scope. $13: dimension.
with calls as (
  select
    case $13::text
      when 'user' then user_email
      when 'model' then model_name
      when 'provider' then coalesce(provider, '')
      when 'operation' then coalesce(operation, '')
      when 'project' then coalesce(project, '')
      when 'requestType' then request_type
    end as name,
    case $13 when 'model' then coalesce(provider, '') end as provider,
    duration_ms,
    time_to_first_chunk_ms
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
    and status = coalesce($12::text, 'ok')
    and (duration_ms is not null or time_to_first_chunk_ms is not null)
)
select
  name as "group",
  provider,
  count(duration_ms)::float8 as measured,
  percentile_disc(array[0.5, 0.95, 0.99]) within group (order by duration_ms) as "durationMs",
  count(time_to_first_chunk_ms)::float8 as "measuredFirstChunks",
  percentile_disc(array[0.5, 0.95, 0.99]) within group (order by time_to_first_chunk_ms) as "timeToFirstChunkMs"
from calls
group by 1, 2
order by count(*) desc, 1, 2;
