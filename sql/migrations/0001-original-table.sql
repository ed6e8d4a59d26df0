-- The table that everything starts from. One that is already there is adopted with its rows, if it is this table.
create table if not exists token_usage_logs (
  id serial primary key,
  timestamp timestamptz not null default now(),
  user_email varchar(255) not null,
  model_name varchar(100) not null,
  input_tokens integer not null,
  output_tokens integer not null,
  request_type varchar(20) not null,
  session_id varchar(50),
  cost_estimate decimal(10,6)
);

do $$
declare
  differences text;
begin
  if (select relkind from pg_class where oid = 'token_usage_logs'::regclass) <> 'r' then
    raise exception 'token_usage_logs is not an ordinary table.'
      using errcode = 'wrong_object_type', hint = 'Rename it, or use another schema or database.';
  end if;

  select string_agg(
    case
      when actual.attname is null then expected.name || ' is missing'
      when actual.atttypid <> all (expected.types) then expected.name || ' is ' || format_type(actual.atttypid, null)
      else expected.name || ' may be null'
    end,
    ', '
    order by expected.position
  )
  into differences
  from (
    values
      (1, 'id', '{integer,bigint}'::regtype[], true),
      (2, 'timestamp', '{timestamptz}', true),
      (3, 'user_email', '{varchar,text}', true),
      (4, 'model_name', '{varchar,text}', true),
      (5, 'input_tokens', '{integer,bigint}', true),
      (6, 'output_tokens', '{integer,bigint}', true),
      (7, 'request_type', '{varchar,text}', true),
      (8, 'session_id', '{varchar,text}', false),
      (9, 'cost_estimate', '{numeric}', false)
  ) as expected (position, name, types, required)
  left join pg_attribute as actual
    on actual.attrelid = 'token_usage_logs'::regclass
    and actual.attname = expected.name
    and not actual.attisdropped
  where actual.attname is null
    or actual.atttypid <> all (expected.types)
    or (expected.required and not actual.attnotnull);

  if differences is not null then
    raise exception 'The existing token_usage_logs is another table than the one to adopt: %.', differences
      using
        errcode = 'object_not_in_prerequisite_state',
        hint = 'Change or rename it, or use another schema or database.';
  end if;
end
$$;

create index if not exists idx_user_timestamp on token_usage_logs (user_email, timestamp);
create index if not exists idx_model_timestamp on token_usage_logs (model_name, timestamp);
