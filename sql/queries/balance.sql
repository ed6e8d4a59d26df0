-- What is left of an allowance. $1: tokens, or null. $2: US dollars, or null. $3, $4: tokens and US dollars used.
select
  ($1::numeric - $3::numeric)::float8 as "remainingTokens",
  trim_scale($2::numeric - $4::numeric)::text as "remainingUsd";
