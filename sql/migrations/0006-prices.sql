-- US dollars; what is not a finite amount or is negative is refused wherever the type is used. 12 decimal places are what
-- a cost can hold.
create domain token_price_usd as numeric
  constraint token_price_usd_range check (value between 0 and 1000000)
  constraint token_price_usd_places check (scale(value) <= 12);

comment on domain token_price_usd is 'A price in US dollars, from 0 to 1,000,000 with at most 12 decimal places.';

-- A text as a range of that text alone: a GiST index can then tell equal ones without an extension.
create type token_price_text as range (subtype = text, collation = "C");

comment on type token_price_text is 'A range of texts, for the constraint of token_prices.';

create table token_prices (
  id bigint generated always as identity primary key,
  provider text not null,
  model_pattern text not null,
  service_tier text not null default '*',
  valid_from timestamptz not null,
  valid_to timestamptz,
  input_per_million token_price_usd,
  cache_read_per_million token_price_usd,
  cache_write_5m_per_million token_price_usd,
  cache_write_1h_per_million token_price_usd,
  input_audio_per_million token_price_usd,
  input_image_per_million token_price_usd,
  output_per_million token_price_usd,
  reasoning_per_million token_price_usd,
  output_audio_per_million token_price_usd,
  output_image_per_million token_price_usd,
  per_request token_price_usd not null default 0,
  per_image token_price_usd,
  per_web_search token_price_usd,
  per_audio_hour token_price_usd,
  created_at timestamptz not null default now(),
  created_by text not null default current_user,
  constraint token_prices_provider check (length(provider) between 1 and 256),
  constraint token_prices_model_pattern check (length(model_pattern) between 1 and 256),
  constraint token_prices_service_tier check (length(service_tier) between 1 and 64),
  constraint token_prices_period check (isfinite(valid_from) and (valid_to is null or (isfinite(valid_to) and valid_to >= valid_from))),
  constraint token_prices_names_a_price check (
    num_nonnulls(
      input_per_million, cache_read_per_million, cache_write_5m_per_million, cache_write_1h_per_million,
      input_audio_per_million, input_image_per_million, output_per_million, reasoning_per_million,
      output_audio_per_million, output_image_per_million, per_image, per_web_search, per_audio_hour
    ) > 0
    or per_request > 0
  ),
  -- Of two transactions that insert at once the second waits for the first, at every isolation level.
  constraint token_prices_one_at_a_time exclude using gist (
    token_price_text(lower(provider), lower(provider), '[]') with &&,
    token_price_text(lower(model_pattern), lower(model_pattern), '[]') with &&,
    token_price_text(lower(service_tier), lower(service_tier), '[]') with &&,
    tstzrange(valid_from, valid_to) with &&
  )
);

comment on table token_prices is 'Your own prices, which go before the list that comes along. Dated and appended; a price is ended and never changed.';
comment on column token_prices.id is 'Number of the price.';
comment on column token_prices.provider is 'The provider as rows name it; * for any, and for rows that name none.';
comment on column token_prices.model_pattern is 'The model as rows name it, in any case; * stands for any characters. Of several that fit, the one with the most other characters holds.';
comment on column token_prices.service_tier is 'The service tier: batch, flex, priority, ..., or standard; * for every tier that has no price of its own.';
comment on column token_prices.valid_from is 'The first moment it holds for.';
comment on column token_prices.valid_to is 'The first moment it no longer holds for; null while it has no end. A price that ends where it begins never held.';
comment on column token_prices.input_per_million is 'US dollars for a million input tokens. Tokens of a kind that has no price here leave a call without a cost; 0 is free.';
comment on column token_prices.cache_read_per_million is 'The same for input read from a cache; where null, as input.';
comment on column token_prices.cache_write_5m_per_million is 'The same for input written to a cache, for five minutes or a time that nobody tells; where null, as input.';
comment on column token_prices.cache_write_1h_per_million is 'The same for input written to a cache for an hour; where null, as for five minutes.';
comment on column token_prices.input_audio_per_million is 'The same for input of audio; where null, as input.';
comment on column token_prices.input_image_per_million is 'The same for input of images; where null, as input.';
comment on column token_prices.output_per_million is 'US dollars for a million output tokens.';
comment on column token_prices.reasoning_per_million is 'The same for output that is reasoning; where null, as output.';
comment on column token_prices.output_audio_per_million is 'The same for output of audio; where null, as output.';
comment on column token_prices.output_image_per_million is 'The same for output of images; where null, as output.';
comment on column token_prices.per_request is 'US dollars for each call, besides its tokens.';
comment on column token_prices.per_image is 'US dollars for each image made, where its tokens are not counted.';
comment on column token_prices.per_web_search is 'US dollars for each web search of the provider.';
comment on column token_prices.per_audio_hour is 'US dollars for an hour of audio, where its tokens are not counted.';
comment on column token_prices.created_at is 'When it was entered.';
comment on column token_prices.created_by is 'The database user who entered it.';

create function token_prices_keep()
  returns trigger
  language plpgsql
as $$
begin
  if tg_op <> 'UPDATE' then
    raise exception 'Prices are not removed from token_prices: what they have cost has to stay explained.'
      using errcode = 'restrict_violation', hint = 'End the price: set its valid_to, to its valid_from if it never held.';
  end if;

  if to_jsonb(old) - 'valid_to' <> to_jsonb(new) - 'valid_to' then
    raise exception 'Price % is not changed: what it has cost has to stay explained.', old.id
      using errcode = 'restrict_violation', hint = 'End it by its valid_to, and insert a price that begins there.';
  end if;

  if new.valid_to is null or new.valid_to > old.valid_to then
    raise exception 'Price % ends at %, which may only be brought forward.', old.id, old.valid_to
      using errcode = 'restrict_violation', hint = 'Insert a price that begins there.';
  end if;

  return new;
end
$$;

comment on function token_prices_keep() is 'Lets a price of token_prices be ended, and nothing else.';

create trigger token_prices_keep_row
  before update or delete on token_prices
  for each row
  execute function token_prices_keep();

create trigger token_prices_keep_table
  before truncate on token_prices
  for each statement
  execute function token_prices_keep();

create table token_reprice_runs (
  id bigint generated always as identity primary key,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  run_by text not null default current_user,
  since timestamptz not null,
  until timestamptz not null,
  model_name text,
  rows_read bigint not null default 0,
  rows_changed bigint not null default 0,
  old_cost numeric not null default 0,
  new_cost numeric not null default 0,
  old_unpriced bigint not null default 0,
  new_unpriced bigint not null default 0
);

comment on table token_reprice_runs is 'One row for each run of "tokenledger reprice", dry runs apart. Nothing reads it but you.';
comment on column token_reprice_runs.id is 'Number of the run.';
comment on column token_reprice_runs.started_at is 'When it began.';
comment on column token_reprice_runs.finished_at is 'When it ended; null while it runs, and where it was cut off. What it had done by then is counted here and stays.';
comment on column token_reprice_runs.run_by is 'The database user who ran it.';
comment on column token_reprice_runs.since is 'Beginning of the range of calls.';
comment on column token_reprice_runs.until is 'End of the range, itself not in it.';
comment on column token_reprice_runs.model_name is 'The model it was limited to; null for all.';
comment on column token_reprice_runs.rows_read is 'Rows priced anew so far: neither those whose cost the provider reported nor those whose cost came with the entry.';
comment on column token_reprice_runs.rows_changed is 'Those whose cost or its parts changed.';
comment on column token_reprice_runs.old_cost is 'Sum of their costs before, in US dollars.';
comment on column token_reprice_runs.new_cost is 'Sum of their costs afterwards.';
comment on column token_reprice_runs.old_unpriced is 'How many of them had no cost before.';
comment on column token_reprice_runs.new_unpriced is 'How many of them have none afterwards.';
