create view token_usage_users as
select
  user_email,
  sum(requests)::bigint as requests,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cache_read_tokens)::bigint as cache_read_tokens,
  sum(cache_write_tokens)::bigint as cache_write_tokens,
  sum(reasoning_tokens)::bigint as reasoning_tokens,
  sum(cost) as cost,
  sum(unpriced)::bigint as unpriced,
  sum(unknown)::bigint as unknown,
  sum(aborted)::bigint as aborted,
  sum(failed)::bigint as failed,
  min(first_at) as first_at,
  max(last_at) as last_at
from token_usage_daily
group by user_email;

comment on view token_usage_users is 'What each user has used so far.';
comment on column token_usage_users.user_email is 'Who made the calls.';
comment on column token_usage_users.requests is 'Number of calls.';
comment on column token_usage_users.input_tokens is 'Sum of the known input tokens, cache reads and writes included.';
comment on column token_usage_users.output_tokens is 'Sum of the known output tokens, reasoning included.';
comment on column token_usage_users.cache_read_tokens is 'Part of input_tokens that came from a cache.';
comment on column token_usage_users.cache_write_tokens is 'Part of input_tokens that went into a cache.';
comment on column token_usage_users.reasoning_tokens is 'Part of output_tokens that was reasoning.';
comment on column token_usage_users.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on column token_usage_users.unpriced is 'Number of calls without a cost.';
comment on column token_usage_users.unknown is 'Number of calls whose token counts nobody knows.';
comment on column token_usage_users.aborted is 'Number of calls that were broken off.';
comment on column token_usage_users.failed is 'Number of calls that ended with an error.';
comment on column token_usage_users.first_at is 'Time of the first call.';
comment on column token_usage_users.last_at is 'Time of the last call.';

create view token_usage_by_day as
select
  day,
  sum(requests)::bigint as requests,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cache_read_tokens)::bigint as cache_read_tokens,
  sum(cache_write_tokens)::bigint as cache_write_tokens,
  sum(reasoning_tokens)::bigint as reasoning_tokens,
  sum(cost) as cost,
  sum(unpriced)::bigint as unpriced,
  sum(unknown)::bigint as unknown,
  sum(aborted)::bigint as aborted,
  sum(failed)::bigint as failed,
  min(first_at) as first_at,
  max(last_at) as last_at
from token_usage_daily
group by day;

comment on view token_usage_by_day is 'What was used on each day of the reporting time zone.';
comment on column token_usage_by_day.day is 'The day in the reporting time zone.';
comment on column token_usage_by_day.requests is 'Number of calls.';
comment on column token_usage_by_day.input_tokens is 'Sum of the known input tokens, cache reads and writes included.';
comment on column token_usage_by_day.output_tokens is 'Sum of the known output tokens, reasoning included.';
comment on column token_usage_by_day.cache_read_tokens is 'Part of input_tokens that came from a cache.';
comment on column token_usage_by_day.cache_write_tokens is 'Part of input_tokens that went into a cache.';
comment on column token_usage_by_day.reasoning_tokens is 'Part of output_tokens that was reasoning.';
comment on column token_usage_by_day.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on column token_usage_by_day.unpriced is 'Number of calls without a cost.';
comment on column token_usage_by_day.unknown is 'Number of calls whose token counts nobody knows.';
comment on column token_usage_by_day.aborted is 'Number of calls that were broken off.';
comment on column token_usage_by_day.failed is 'Number of calls that ended with an error.';
comment on column token_usage_by_day.first_at is 'Time of the first call.';
comment on column token_usage_by_day.last_at is 'Time of the last call.';

create view token_usage_by_model as
select
  provider,
  model_name,
  sum(requests)::bigint as requests,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cache_read_tokens)::bigint as cache_read_tokens,
  sum(cache_write_tokens)::bigint as cache_write_tokens,
  sum(reasoning_tokens)::bigint as reasoning_tokens,
  sum(cost) as cost,
  sum(unpriced)::bigint as unpriced,
  sum(unknown)::bigint as unknown,
  sum(aborted)::bigint as aborted,
  sum(failed)::bigint as failed,
  min(first_at) as first_at,
  max(last_at) as last_at
from token_usage_daily
group by provider, model_name;

comment on view token_usage_by_model is 'How much each model was used so far.';
comment on column token_usage_by_model.provider is 'The provider; empty where the rows name none.';
comment on column token_usage_by_model.model_name is 'The model.';
comment on column token_usage_by_model.requests is 'Number of calls.';
comment on column token_usage_by_model.input_tokens is 'Sum of the known input tokens, cache reads and writes included.';
comment on column token_usage_by_model.output_tokens is 'Sum of the known output tokens, reasoning included.';
comment on column token_usage_by_model.cache_read_tokens is 'Part of input_tokens that came from a cache.';
comment on column token_usage_by_model.cache_write_tokens is 'Part of input_tokens that went into a cache.';
comment on column token_usage_by_model.reasoning_tokens is 'Part of output_tokens that was reasoning.';
comment on column token_usage_by_model.cost is 'Sum of the costs in US dollars; calls without a price are counted in unpriced.';
comment on column token_usage_by_model.unpriced is 'Number of calls without a cost.';
comment on column token_usage_by_model.unknown is 'Number of calls whose token counts nobody knows.';
comment on column token_usage_by_model.aborted is 'Number of calls that were broken off.';
comment on column token_usage_by_model.failed is 'Number of calls that ended with an error.';
comment on column token_usage_by_model.first_at is 'Time of the first call.';
comment on column token_usage_by_model.last_at is 'Time of the last call.';
