-- Usage per day and user over the last 30 days, the latest day first. A day is one of the session's time zone.
-- The sort repeats the sums: PostgreSQL knows total_input and total_output by name only where they stand alone.
select
  date(timestamp) as date,
  user_email,
  sum(input_tokens) as total_input,
  sum(output_tokens) as total_output,
  count(*) as total_requests
from token_usage_logs
where timestamp >= now() - interval '30 days'
group by date(timestamp), user_email
order by
  date(timestamp) desc,
  sum(input_tokens) + sum(output_tokens) desc,
  user_email;
