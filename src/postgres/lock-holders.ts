import type pg from 'pg'

const findHolders = `
  select distinct
    locks.pid,
    coalesce(nullif(sessions.application_name, ''), sessions.backend_type) as program,
    sessions.state,
    extract(epoch from now() - sessions.xact_start)::int as seconds
  from pg_locks as locks
  join pg_class as relations on relations.oid = locks.relation and relations.relname like 'token\\_usage\\_%'
  left join pg_stat_activity as sessions on sessions.pid = locks.pid
  where locks.database = (select oid from pg_database where datname = current_database())
    and locks.granted
    and locks.pid is distinct from pg_backend_pid()
  order by locks.pid`

type Holder = {
  readonly pid: number | null
  readonly program: string | null
  readonly state: string | null
  readonly seconds: number | null
}

/** Who has locks on the usage tables, for a person who is to end them: process ids and programs, never their queries. */
export async function describeLockHolders(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query<Holder>(findHolders)
  return rows.map(describe).join(', ') || 'a program that has ended since'
}

function describe({ pid, program, state, seconds }: Holder): string {
  if (pid === null) return 'a prepared transaction (see pg_prepared_xacts)'
  const facts = [program, state, seconds === null ? null : `for ${seconds} s`].filter((fact) => fact !== null)
  return `process ${pid}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`
}
