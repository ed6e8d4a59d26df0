-- What this month has cost so far, and what it comes to if the days that are left cost what the last seven did.
-- $1: today. $2 to $7: user, model, provider, operation, project, request type.
with month as (
  select date_trunc('month', $1::date::timestamp)::date as first_day
),
days as (
  select
    day,
    sum(requests) as requests,
    sum(cost) as cost,
    sum(unpriced) as unpriced,
    sum(unknown) as unknown
  from token_usage_daily
  where day between (select least(first_day, $1 - 7) from month) and $1
    and ($2::text is null or user_email = $2)
    and ($3::text is null or model_name = $3)
    and ($4::text is null or provider = $4)
    and ($5::text is null or operation = $5)
    and ($6::text is null or project = $6)
    and ($7::text is null or request_type = $7)
  group by day
),
sums as (
  select
    first_day,
    (first_day + interval '1 month')::date - 1 - $1 as days_left,
    coalesce(sum(requests) filter (where day >= first_day), 0) as requests,
    coalesce(sum(cost) filter (where day >= first_day), 0) as cost,
    coalesce(sum(cost) filter (where day = $1), 0) as cost_today,
    coalesce(sum(unpriced) filter (where day >= first_day), 0) as unpriced,
    coalesce(sum(unknown) filter (where day >= first_day), 0) as unknown,
    -- A week, or less where the first call was made less than a week ago.
    $1 - min(day) filter (where day between $1 - 7 and $1 - 1) as days_counted,
    sum(cost) filter (where day between $1 - 7 and $1 - 1) as cost_counted
  from month
  left join days on true
  group by first_day
)
select
  first_day::text as month,
  days_left as "daysLeft",
  requests::float8 as requests,
  unpriced::float8 as unpriced,
  unknown::float8 as unknown,
  case when requests = 0 or unpriced < requests then trim_scale(cost)::text end as "costUsd",
  coalesce(days_counted, 0) as "daysCounted",
  trim_scale(round(cost_counted / days_counted, 12))::text as "dailyCostUsd",
  case
    when days_counted >= 3 and (requests = 0 or unpriced < requests) then trim_scale(
      round(
        cost - cost_today + greatest(cost_today, cost_counted / days_counted) + days_left * cost_counted / days_counted,
        12
      )
    )::text
  end as "projectedCostUsd"
from sums;
