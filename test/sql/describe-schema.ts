import type { TestDatabase } from '../support/test-database.js'

const describeTypes = `
  select case typtype
    when 'd' then format(
      E'create domain %I as %s%s;\n',
      typname,
      format_type(typbasetype, typtypmod),
      (
        select string_agg(format(E'\n  constraint %I %s', conname, pg_get_constraintdef(oid)), '' order by conname)
        from pg_constraint
        where contypid = types.oid and contype <> 'n'
      )
    )
    else format(
      E'create type %I as range (subtype = %s, collation = %s);\n',
      typname,
      (select rngsubtype::regtype from pg_range where rngtypid = types.oid),
      (select rngcollation::regcollation from pg_range where rngtypid = types.oid)
    )
  end as text
  from pg_type as types
  where typnamespace = 'public'::regnamespace and typtype in ('d', 'r')
  order by typname`

// The same text from every PostgreSQL: before version 16, views name the table before each column; from version 18 on,
// "not null" is a constraint of its own.
const describeTables = `
  select format(
    E'create table %I (\n%s\n);\n%s%s',
    tables.relname,
    (
      select string_agg(line, E',\n' order by kind, position)
      from (
        select 1 as kind, attnum as position, format(
          '  %I %s%s%s',
          attname,
          format_type(atttypid, atttypmod),
          case when attnotnull then ' not null' end,
          ' default ' || pg_get_expr(adbin, adrelid)
        ) as line
        from pg_attribute
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = tables.oid and attnum > 0 and not attisdropped
        union all
        select 2, row_number() over (order by conname), format('  constraint %I %s', conname, pg_get_constraintdef(oid))
        from pg_constraint
        where conrelid = tables.oid and contype <> 'n'
      ) as lines
    ),
    (
      select string_agg(pg_get_indexdef(indexrelid) || E';\n', '' order by indexrelid::regclass::text collate "C")
      from pg_index
      where indrelid = tables.oid and not exists (select from pg_constraint where conindid = indexrelid)
    ),
    (
      select string_agg(pg_get_triggerdef(oid, true) || E';\n', '' order by tgname)
      from pg_trigger
      where tgrelid = tables.oid and not tgisinternal
    )
  ) as text
  from pg_class as tables
  where relnamespace = 'public'::regnamespace and relkind = 'r'
  order by relname`

const describeViews = `
  select format(
    E'create view %I as\n%s\n',
    relname,
    regexp_replace(pg_get_viewdef(oid, true), 'token_usage_(daily|user_days)[.]', '', 'g')
  ) as text
  from pg_class
  where relnamespace = 'public'::regnamespace and relkind = 'v'
  order by relname`

const describeFunctions = `
  select pg_get_functiondef(oid) || coalesce(E'-- may be called by: ' || array_to_string(proacl, ', ') || E'\n', '') as text
  from pg_proc
  where pronamespace = 'public'::regnamespace
    -- What a type brings with it differs between versions.
    and prolang <> (select oid from pg_language where lanname = 'internal')
  order by proname`

const describeComments = `
  select format(E'comment on %s %s is %L;\n', object.type, replace(object.identity, 'pg_catalog.', ''), description) as text
  from pg_description
  cross join lateral pg_identify_object(classoid, objoid, objsubid) as object
  where (classoid = 'pg_type'::regclass and (select typnamespace from pg_type where oid = objoid) = 'public'::regnamespace)
    or (classoid = 'pg_class'::regclass and (select relnamespace from pg_class where oid = objoid) = 'public'::regnamespace)
    or (classoid = 'pg_proc'::regclass and (select pronamespace from pg_proc where oid = objoid) = 'public'::regnamespace)
  order by object.identity collate "C"`

/** The schema of a migrated database as SQL, the same for every version of PostgreSQL. */
export async function describeSchema({ query }: TestDatabase): Promise<string> {
  const sections: string[] = []
  for (const sql of [describeTypes, describeTables, describeViews, describeFunctions, describeComments]) {
    const rows = await query(sql)
    sections.push(rows.map(({ text }) => text).join(sql === describeComments ? '' : '\n'))
  }
  const [owner] = await query('select current_user as name')
  return `-- What the migrations make of an empty database. Generated: "npx vitest run test/sql/schema.test.ts -u" writes it anew.\n\n${sections
    .join('\n')
    .replaceAll(`${owner?.name}=`, 'owner=')
    .replaceAll(`/${owner?.name}`, '')}`
}
