-- What each user has used so far, with the first and the last request, the heaviest user first.
-- The sort repeats the sums: PostgreSQL knows total_input and total_output by name only where they stand alone.
select
  user_email,
  count(*) as total_requests,
  sum(input_tokens) as total_input,
  sum(output_tokens) as total_output,
  min(timestamp) as first_request,
  max(timestamp) as last_request
from token_usage_logs
group by user_email
order by
  sum(input_tokens) + sum(output_tokens) desc,
  user_email;
