create table token_usage_dead_letters (
  event_id uuid primary key,
  failed_at timestamptz not null default now(),
  code text not null,
  reason text not null,
  -- json keeps the text as it was sent; jsonb refuses \u0000 and lone surrogates, which may be why the row was refused.
  record json not null
);

comment on table token_usage_dead_letters is 'Usage records that token_usage_logs refused, whole, with the reason.';
comment on column token_usage_dead_letters.event_id is 'The event_id that the row would have had.';
comment on column token_usage_dead_letters.failed_at is 'When the record was refused.';
comment on column token_usage_dead_letters.code is 'SQLSTATE of the refusal.';
comment on column token_usage_dead_letters.reason is 'What the refusal means, without values of the record.';
comment on column token_usage_dead_letters.record is 'The record as it was to be written.';

create table token_usage_losses (
  id uuid primary key,
  reason text not null,
  records bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  recorded_at timestamptz not null default now()
);

comment on table token_usage_losses is 'Records that had to be dropped, counted together by reason: what token_usage_logs does not contain.';
comment on column token_usage_losses.id is 'Identity of the loss, fixed before it is first written.';
comment on column token_usage_losses.reason is 'Why the records were dropped.';
comment on column token_usage_losses.records is 'How many records were dropped.';
comment on column token_usage_losses.input_tokens is 'Their input tokens.';
comment on column token_usage_losses.output_tokens is 'Their output tokens.';
comment on column token_usage_losses.first_at is 'Time of the first call among them.';
comment on column token_usage_losses.last_at is 'Time of the last call among them.';
comment on column token_usage_losses.recorded_at is 'When the loss was written down.';
