-- Days that cost a multiple of the median of the four weeks before, with the model that cost the most on them.
-- $1, $2: first and last day. $3 to $8: user, model, provider, operation, project, request type.
-- $9: days with a cost that the four weeks need. $10: how many times the median. $11: what it has to be above the median,
-- in US dollars. $12: how many.
with usage as (
  select day, provider, model_name, sum(cost) as cost, sum(unpriced) as unpriced
  from token_usage_daily
  where day between $1::date - 28 and $2::date
    and ($3::text is null or user_email = $3)
    and ($4::text is null or model_name = $4)
    and ($5::text is null or provider = $5)
    and ($6::text is null or operation = $6)
    and ($7::text is null or project = $7)
    and ($8::text is null or request_type = $8)
  group by day, provider, model_name
),
days as (
  select day, sum(cost) as cost, sum(unpriced) as unpriced
  from usage
  group by day
)
select
  days.day::text as day,
  trim_scale(days.cost)::text as "costUsd",
  days.unpriced::float8 as unpriced,
  before.days as "daysCompared",
  trim_scale(before.median)::text as "medianUsd",
  largest.provider,
  largest.model_name as "modelName",
  trim_scale(largest.cost)::text as "modelCostUsd"
from days
cross join lateral (
  select count(*)::integer as days, percentile_disc(0.5) within group (order by cost) as median
  from days as earlier
  where earlier.day between days.day - 28 and days.day - 1
    and earlier.cost > 0
) as before
cross join lateral (
  select provider, model_name, cost
  from usage
  where usage.day = days.day
  order by cost desc, provider, model_name
  limit 1
) as largest
where days.day >= $1
  and before.days >= $9::integer
  and days.cost >= before.median * $10::numeric
  and days.cost - before.median >= $11::numeric
order by days.cost - before.median desc, days.day
limit $12;
