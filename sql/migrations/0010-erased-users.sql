-- What two spellings of a user have in common, for every letter and every blank there is. lower() goes by the locale of the
-- database: in "C" it knows the letters of ASCII only, in a Turkish one an "I" becomes another letter.
--
-- token_usage_unicode is the first of these that the server offers: two without a locale of their own, which never change, ICU,
-- and where there is none of them what the database itself goes by. A database of another encoding than UTF8 keeps what it had.
--
-- A user who was erased before this has a hash that is found no longer, and is to be erased again, where the name has capitals
-- beyond ASCII in such a database, other blanks around it than those of ASCII, or a sigma at the end of a word.
do $migration$
declare
  ours constant text := quote_ident(current_schema()) || '.token_usage_unicode';
  own constant text := (select datctype from pg_database where datname = current_database());
  options text;
begin
  if current_setting('server_encoding') <> 'UTF8' then
    return;
  end if;

  foreach options in array array[
    $$provider = builtin, locale = 'C.UTF-8'$$,
    $$provider = libc, locale = 'C.UTF-8'$$,
    $$provider = icu, locale = 'und'$$,
    format('provider = libc, locale = %L', own)
  ]
  loop
    begin
      execute format('create collation %s (%s)', ours, options);
      exit;
    exception when others then
      -- The server does not offer it.
      continue;
    end;
  end loop;

  -- The letters that not all of them treat alike are a sigma at the end of a word and an "I" with a dot.
  execute format($create$
create or replace function token_usage_user_key(user_email text)
  returns text
  language sql
  immutable
as $$
  select replace(
    translate(lower(btrim(
      user_email,
      E'\u0009\u000A\u000B\u000C\u000D\u0020\u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A'
        '\u200B\u200C\u200D\u2028\u2029\u202F\u205F\u2060\u3000\uFEFF'
    ) collate %s), E'\u03C2', E'\u03C3'),
    E'i\u0307', 'i'
  )
$$
$create$, ours);

  execute format('comment on collation %s is %L', ours, 'By which token_usage_user_key makes letters small.');
end
$migration$;

comment on function token_usage_user_key(text) is 'What all spellings of a user have in common: lower case, no blanks around.';

-- Who knows how many rows an erased user had could find the name that these have now by counting. Where rows were kept
-- nothing is to lead to them.
alter table token_erasures
  alter column usage_rows drop not null,
  alter column daily_sums drop not null;

update token_erasures
set usage_rows = null, daily_sums = null
where anonymized;

comment on column token_erasures.usage_rows is 'How many rows of token_usage_logs were removed; null where they were given another name.';
comment on column token_erasures.daily_sums is 'How many rows of token_usage_daily were removed; null where they were given another name.';
