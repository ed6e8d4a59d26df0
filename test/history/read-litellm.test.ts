import { afterAll, beforeAll, expect, test } from 'vitest'
import { importUsage, type RejectedLine } from '../../src/history/import-usage.js'
import { readLiteLlm } from '../../src/history/read-litellm.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

let litellm: TestDatabase
let database: TestDatabase

beforeAll(async () => {
  litellm = await createTestDatabase({ template: 'empty' })
  database = await createTestDatabase()
  // The columns and types that the migrations of LiteLLM make.
  await litellm.query(
    `create table "LiteLLM_SpendLogs" (
      request_id text primary key, call_type text not null, api_key text not null default '',
      spend double precision not null default 0, total_tokens int not null default 0,
      prompt_tokens int not null default 0, completion_tokens int not null default 0,
      "startTime" timestamp(3) not null, "endTime" timestamp(3) not null, request_duration_ms int,
      "completionStartTime" timestamp(3), model text not null default '', model_id text default '',
      model_group text default '', custom_llm_provider text default '', api_base text default '', "user" text default '',
      metadata jsonb default '{}', cache_hit text default '', cache_key text default '', request_tags jsonb default '[]',
      team_id text, organization_id text, end_user text, requester_ip_address text, messages jsonb default '{}',
      response jsonb default '{}', session_id text, status text, mcp_namespaced_tool_name text, agent_id text,
      proxy_server_request jsonb default '{}'
    )`,
  )
  await litellm.query(
    `insert into "LiteLLM_SpendLogs" (
      request_id, call_type, api_key, spend, prompt_tokens, completion_tokens, "startTime", "endTime", "completionStartTime",
      model, model_group, custom_llm_provider, "user", end_user, metadata, cache_hit, request_tags, team_id, session_id,
      status, messages, response, requester_ip_address
    ) values
    ('chatcmpl-1', 'acompletion', 'hashed-key', 1.5e-05, 1000, 200, '2025-03-04 05:06:07.089', '2025-03-04 05:06:09.089', '2025-03-04 05:06:07.589',
      'openai/gpt-4o', 'smart', 'openai', 'owner', 'ada@example.com',
      '{"usage_object": {"prompt_tokens": 1000, "completion_tokens": 200, "prompt_tokens_details": {"cached_tokens": 400}, "completion_tokens_details": {"reasoning_tokens": 50}},
        "user_api_key": "hashed-key", "user_api_key_team_alias": "Research", "spend_logs_metadata": {"note": "a secret"}}',
      'True', '["blue"]', 'team-1', 'session-1', 'success', '[{"content": "a secret"}]', '{"text": "a secret"}', '10.0.0.1'),
    ('msg_2', 'aembedding', '', 0.1 + 0.2, 7, 0, '2025-03-05', '2025-03-05', '2025-03-05', 'text-embedding-3-small', '', 'vertex_ai', 'owner', '', '{}', '', '[]', null, null, null, '{}', '{}', null),
    ('3', 'aimage_generation', '', 0, 0, 0, '2025-03-06', '2025-03-06', null, '', 'pictures', '', '', null,
      '{"user_api_key_user_email": "bob@example.com", "usage_object": null, "additional_usage_values": {"cache_read_input_tokens": 9}}', '', '[]', null, null, 'failure', '{}', '{}', null),
    ('4', 'acompletion', '', -1, -5, 0, '2025-03-06', '2025-03-06', null, 'm', '', '', '', null, '{}', '', '[]', null, null, 'success', '{}', '{}', null)`,
  )
})
afterAll(async () => {
  await litellm.drop()
  await database.drop()
})

async function run() {
  const rejects: RejectedLine[] = []
  const source = readLiteLlm(litellm.pool)
  const result = await importUsage(database.pool, source, { onReject: (line) => void rejects.push(line) })
  return { ...result, rejects }
}

test('the spend log of LiteLLM is imported once, with its costs and times, and without what was said', async () => {
  const first = await run()
  const second = await run()

  expect(first).toMatchObject({ read: 4, imported: 3, rejected: 1 })
  expect(first.rejects).toEqual([
    {
      line: 4,
      text: '4',
      reason:
        'inputTokens is -5 and not a whole number from 0 to 2147483647; costEstimate is "-1" and not an amount of US dollars from 0 to 9000000',
    },
  ])
  expect(second).toMatchObject({ read: 4, imported: 0, present: 3 })
  const rows = await database.query('select *, cost_estimate::text as cost from token_usage_logs order by timestamp')
  expect(rows).toMatchObject([
    {
      timestamp: new Date('2025-03-04T05:06:07.089Z'),
      user_email: 'ada@example.com',
      model_name: 'gpt-4o',
      provider: 'openai',
      input_tokens: 1000,
      output_tokens: 200,
      cache_read_tokens: 400,
      reasoning_tokens: 50,
      request_type: 'chat',
      cost: '0.000015000000',
      cost_source: 'entry',
      usage_source: 'imported',
      status: 'ok',
      session_id: 'session-1',
      project: 'Research',
      response_id: 'chatcmpl-1',
      duration_ms: 2000,
      time_to_first_chunk_ms: 500,
      metadata: { litellm: { tags: ['blue'], teamId: 'team-1', cacheHit: true } },
    },
    {
      user_email: 'owner',
      model_name: 'text-embedding-3-small',
      provider: 'vertex',
      request_type: 'embedding',
      cost: '0.300000000000',
      duration_ms: 0,
      time_to_first_chunk_ms: null,
      metadata: null,
    },
    {
      user_email: 'bob@example.com',
      model_name: 'pictures',
      request_type: 'image',
      status: 'error',
      cost: '0.000000000000',
      cache_read_tokens: null,
    },
  ])
  expect(JSON.stringify(rows)).not.toMatch(/secret|hashed-key|10\.0\.0\.1/)
})

test('a table of an older version, which lacks columns, is read as well; one that is no spend log is refused', async () => {
  await litellm.query(
    `create table old (request_id text, "startTime" timestamp, model text, prompt_tokens int, completion_tokens int, spend float8, call_type text)`,
  )
  await litellm.query(`insert into old values ('a', '2024-01-01', 'm', 1, 2, 0.5, 'completion')`)
  await litellm.query('create table other (request_id text)')

  expect(await importUsage(database.pool, readLiteLlm(litellm.pool, 'old'))).toMatchObject({ imported: 1 })
  await expect(importUsage(database.pool, readLiteLlm(litellm.pool, 'other'))).rejects.toThrow(
    'has no column "startTime"',
  )
  await expect(importUsage(database.pool, readLiteLlm(litellm.pool, 'none'))).rejects.toThrow(
    'There is no table "none"',
  )
})
