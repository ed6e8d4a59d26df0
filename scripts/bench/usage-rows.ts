import type pg from 'pg'

export type FillOptions = {
  readonly rows: number
  readonly users: number
  readonly days: number
  /** The first statement's; the same seed makes the same rows. From 0 to 1. */
  readonly seed: number
}

/**
 * Fills an empty, migrated database with plausible calls that end now: users of uneven activity, each with a project,
 * a few of 20 models and what they use them for. The daily sums are counted once at the end.
 */
export async function fillUsageRows(client: pg.Client, { rows, users, days, seed }: FillOptions): Promise<void> {
  await client.query('alter table token_usage_logs disable trigger user')
  await client.query('select setseed($1)', [seed])
  await client.query(insertRows, [rows, users, days])
  await client.query('alter table token_usage_logs enable trigger user')
  await client.query('select token_usage_rebuild_daily()')
  await client.query('vacuum analyze')
}

const insertRows = `
  insert into token_usage_logs (
    event_id, timestamp, user_email, model_name, input_tokens, output_tokens, request_type, session_id, provider,
    operation, project, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_estimate, input_cost, output_cost,
    cost_source, status, usage_source, duration_ms, time_to_first_chunk_ms
  )
  select
    -- In the order of time, as UUIDv7 is.
    (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7000' || substr(md5(number::text), 1, 16))::uuid,
    at,
    'user-' || person || '@example.com',
    'model-' || model,
    input,
    output,
    case when model = 19 then 'embedding' else 'chat' end,
    'session-' || number / 20,
    (array['openai', 'anthropic', 'gemini', 'mistral'])[1 + model % 4],
    (array['answer', 'summarize', 'translate', 'classify', 'search'])[1 + (person + model) % 5],
    'project-' || person % 12,
    cached,
    0,
    output / 5,
    case when unpriced then null else input_cost + output_cost end,
    case when unpriced then null else input_cost end,
    case when unpriced then null else output_cost end,
    case when unpriced then null else 'list' end,
    case when chance < 0.02 then 'error' when chance < 0.03 then 'aborted' else 'ok' end,
    case when chance < 0.02 then 'unknown' else 'provider' end,
    (200 + 20000 * pace * pace * pace)::integer,
    (100 + 2000 * pace * pace)::integer
  from (
    select
      *,
      round(input * (1 + model) * 0.0000001, 12) as input_cost,
      round(output * (1 + model) * 0.0000004, 12) as output_cost,
      input / 3 as cached,
      model = 17 as unpriced
    from (
      select
        number,
        now() - (1 - number / $1::float8) * $3 * interval '1 day' as at,
        person,
        (person * 7 + floor(4 * random() * random())::integer) % 20 as model,
        case when chance < 0.02 then 0 else (50 + 8000 * random() * random())::integer end as input,
        case when chance < 0.02 then 0 else (20 + 1500 * random() * random())::integer end as output,
        chance,
        pace
      from (
        select
          number,
          floor($2 * random() * random())::integer as person,
          random() as chance,
          random() as pace
        from generate_series(1, $1::integer) as number
      ) as calls
    ) as counted
  ) as priced`
