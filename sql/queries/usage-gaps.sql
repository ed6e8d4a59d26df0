-- What the rows of a range do not contain: records that were dropped, and records that the table refused.
-- $1, $2: first and last day, or null. $3: reporting zone. $4, $5: first instant and end.
select
  'loss' as kind,
  reason,
  sum(records)::float8 as records,
  sum(input_tokens)::float8 as "inputTokens",
  sum(output_tokens)::float8 as "outputTokens",
  to_char(min(first_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "firstAt",
  to_char(max(last_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "lastAt"
from token_usage_losses
where last_at >= $4::timestamptz
  and first_at < $5::timestamptz
  and (
    $1::date is null
    or (last_at at time zone $3::text)::date >= $1 and (first_at at time zone $3)::date <= $2::date
  )
group by reason
union all
select
  'dead letter',
  reason,
  count(*)::float8,
  null,
  null,
  to_char(min(failed_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  to_char(max(failed_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
from token_usage_dead_letters
where failed_at >= $4
  and failed_at < $5
  and ($1 is null or (failed_at at time zone $3)::date between $1 and $2)
group by reason
order by kind desc, records desc, reason;
