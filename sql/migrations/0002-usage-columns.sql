-- Views and rules that use a column keep its type from being changed. They are the database owner's, so they are named
-- with what takes them away and brings them back, and nothing is changed.
do $$
declare
  found record;
  names text := '';
  drops text := '';
  creates text := '';
begin
  for found in
    with recursive dependents (rule, relation, depth) as (
      select rules.oid, rules.ev_class, 1
      from pg_depend as dependency
      join pg_rewrite as rules on rules.oid = dependency.objid
      join pg_attribute as used on used.attrelid = dependency.refobjid and used.attnum = dependency.refobjsubid
      where dependency.classid = 'pg_rewrite'::regclass
        and dependency.refclassid = 'pg_class'::regclass
        and dependency.refobjid = 'token_usage_logs'::regclass
        and used.attname in ('user_email', 'model_name', 'request_type', 'session_id', 'cost_estimate')
      union
      select rules.oid, rules.ev_class, dependents.depth + 1
      from dependents
      join pg_depend as dependency
        on dependency.classid = 'pg_rewrite'::regclass
        and dependency.refclassid = 'pg_class'::regclass
        and dependency.refobjid = dependents.relation
        and dependency.deptype = 'n'
      join pg_rewrite as rules on rules.oid = dependency.objid and rules.ev_class <> dependents.relation
      join pg_class as source on source.oid = dependents.relation and source.relkind in ('v', 'm')
    )
    select
      rules.rulename,
      relations.oid::regclass as relation,
      case
        when rules.rulename <> '_RETURN' then 'rule'
        when relations.relkind = 'm' then 'materialized view'
        else 'view'
      end as kind,
      case when relations.reloptions is null then '' else ' with (' || array_to_string(relations.reloptions, ', ') || ')' end as options,
      rules.oid as rule,
      (
        select string_agg(E'\n' || pg_get_indexdef(indexrelid) || ';', '' order by indexrelid)
        from pg_index
        where indrelid = relations.oid
          and relations.relkind = 'm'
      ) as indexes
    from (select rule, relation, max(depth) as depth from dependents group by rule, relation) as deepest
    join pg_rewrite as rules on rules.oid = deepest.rule
    join pg_class as relations on relations.oid = deepest.relation
    order by deepest.depth, rules.oid
  loop
    if found.kind = 'rule' then
      names := names || format(', rule %I on %s', found.rulename, found.relation);
      drops := format(E'drop rule %I on %s;\n', found.rulename, found.relation) || drops;
      creates := creates || pg_get_ruledef(found.rule) || E'\n';
    else
      names := names || format(', %s %s', found.kind, found.relation);
      drops := format(E'drop %s %s;\n', found.kind, found.relation) || drops;
      creates := creates || format(
        E'create %s %s%s as\n%s%s\n',
        found.kind, found.relation, found.options, pg_get_viewdef(found.relation), found.indexes
      );
    end if;
  end loop;

  if names <> '' then
    raise exception E'In the way of a type change of token_usage_logs: %.', substr(names, 3)
      using
        errcode = 'dependent_objects_still_exist',
        hint = format(
          E'Run these statements, then migrate:\n%sAfterwards bring them back, and what was granted on them:\n%s',
          drops, creates
        );
  end if;
end
$$;

-- Columns may be null without a default: a row that another program wrote says nothing about them, and that stays visible.
alter table token_usage_logs
  alter column user_email type text,
  alter column model_name type text,
  alter column request_type type text,
  alter column session_id type text,
  alter column cost_estimate type numeric(20,12),
  add column event_id uuid,
  add column provider text,
  add column operation text,
  add column operation_id text,
  add column project text,
  add column cache_read_tokens integer,
  add column cache_write_tokens integer,
  add column reasoning_tokens integer,
  add column input_cost numeric(20,12),
  add column output_cost numeric(20,12),
  add column other_cost numeric(20,12),
  add column cost_source text,
  add column status text,
  add column usage_source text,
  add column response_id text,
  add column duration_ms integer,
  add column time_to_first_chunk_ms integer,
  add column metadata jsonb,
  add column raw_usage jsonb;

create unique index token_usage_logs_event_id_key on token_usage_logs (event_id);

-- After a restore the sequence may be behind the ids, and every insert would fail until it has caught up.
do $$
declare
  highest_id constant bigint := (select max(id) from token_usage_logs);
  sequence_name text;
  last_id bigint;
begin
  -- The sequence that the column's default takes from need not be the one that belongs to the column.
  select dependency.refobjid::regclass
  into sequence_name
  from pg_attrdef as defaults
  join pg_attribute as columns on columns.attrelid = defaults.adrelid and columns.attnum = defaults.adnum
  join pg_depend as dependency on dependency.classid = 'pg_attrdef'::regclass and dependency.objid = defaults.oid
  join pg_class as sequences on sequences.oid = dependency.refobjid and sequences.relkind = 'S'
  where dependency.refclassid = 'pg_class'::regclass
    and defaults.adrelid = 'token_usage_logs'::regclass
    and columns.attname = 'id';

  sequence_name := coalesce(sequence_name, pg_get_serial_sequence('token_usage_logs', 'id'));

  if sequence_name is not null then
    execute format('select case when is_called then last_value else last_value - 1 end from %s', sequence_name)
    into last_id;

    if last_id < highest_id then
      perform setval(sequence_name, highest_id);
    end if;
  end if;
end
$$;

comment on table token_usage_logs is 'One row for each model call: who made it, what was called, what it consumed. Never content.';
comment on column token_usage_logs.id is 'Number of the row in this table.';
comment on column token_usage_logs.timestamp is 'When the call was made, not when the row was written.';
comment on column token_usage_logs.user_email is 'Who made the call; anonymous where nobody is known.';
comment on column token_usage_logs.model_name is 'The model that answered.';
comment on column token_usage_logs.input_tokens is 'Tokens the model read, cache reads and writes included; 0 with usage_source unknown where nobody knows.';
comment on column token_usage_logs.output_tokens is 'Tokens the model produced, reasoning included; 0 with usage_source unknown where nobody knows.';
comment on column token_usage_logs.request_type is 'Kind of the call: chat, image, ...';
comment on column token_usage_logs.session_id is 'The session of the application that the call belongs to.';
comment on column token_usage_logs.cost_estimate is 'Cost of the call in US dollars; null where it has no price.';
comment on column token_usage_logs.event_id is 'Identity of the call, fixed before it is first written anywhere; null in rows that another program wrote.';
comment on column token_usage_logs.provider is 'The provider that was called.';
comment on column token_usage_logs.operation is 'What the application was doing.';
comment on column token_usage_logs.operation_id is 'The application''s own id of what it was doing.';
comment on column token_usage_logs.project is 'The project that the call is counted for.';
comment on column token_usage_logs.cache_read_tokens is 'Part of input_tokens that came from the provider''s cache; null where unknown.';
comment on column token_usage_logs.cache_write_tokens is 'Part of input_tokens that went into the provider''s cache; null where unknown.';
comment on column token_usage_logs.reasoning_tokens is 'Part of output_tokens that was reasoning; null where unknown.';
comment on column token_usage_logs.input_cost is 'Part of cost_estimate for input, in US dollars.';
comment on column token_usage_logs.output_cost is 'Part of cost_estimate for output, in US dollars.';
comment on column token_usage_logs.other_cost is 'Part of cost_estimate for fees and tools, in US dollars.';
comment on column token_usage_logs.cost_source is 'Where the cost comes from: provider, list, override or entry.';
comment on column token_usage_logs.status is 'How the call ended: ok, error or aborted; null in rows that another program wrote.';
comment on column token_usage_logs.usage_source is 'Where the counts come from: provider, provider_partial, estimated, fixed, unknown, entry or imported; null in rows that another program wrote.';
comment on column token_usage_logs.response_id is 'The provider''s id of its answer.';
comment on column token_usage_logs.duration_ms is 'Milliseconds from the call to its end.';
comment on column token_usage_logs.time_to_first_chunk_ms is 'Milliseconds from the call to the first piece of a streamed answer.';
comment on column token_usage_logs.metadata is 'What the application added.';
comment on column token_usage_logs.raw_usage is 'The provider''s own numbers, and what changes the price.';
