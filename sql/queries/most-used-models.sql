-- Calls and tokens per model over the last 7 days, the most used model first.
select
  model_name,
  count(*) as usage_count,
  sum(input_tokens) as total_input_tokens,
  sum(output_tokens) as total_output_tokens
from token_usage_logs
where timestamp >= now() - interval '7 days'
group by model_name
order by
  count(*) desc,
  model_name;
