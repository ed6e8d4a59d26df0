import type pg from 'pg'
import { extractUsage } from '../extractors/extract-usage.js'
import { findColumn, findTable, getColumn, type Table } from '../postgres/find-table.js'
import { explainRefusals } from './describe-refusal.js'
import type { ImportFields, ImportLine } from './import-line.js'

// Schema of the table, as of 2026; older versions of LiteLLM lack some of the columns:
// https://github.com/BerriAI/litellm/blob/main/schema.prisma
type SpendLog = {
  readonly requestId: string
  readonly callType: string | null
  readonly spend: string | null
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly startedAt: number | null
  readonly endedAt: number | null
  readonly firstChunkAt: number | null
  readonly durationMs: number | null
  readonly model: string | null
  readonly modelGroup: string | null
  readonly provider: string | null
  readonly user: string | null
  readonly endUser: string | null
  readonly userEmail: string | null
  readonly teamId: string | null
  readonly teamAlias: string | null
  readonly organizationId: string | null
  readonly sessionId: string | null
  readonly status: string | null
  readonly cacheHit: string | null
  readonly tags: unknown
  readonly usage: Record<string, unknown> | null
}

const cursor = 'tokenledger_litellm'
const pageSize = 1000
const required = ['request_id', 'startTime', 'model', 'prompt_tokens', 'completion_tokens', 'spend']

const textColumns = {
  requestId: 'request_id',
  callType: 'call_type',
  // The shortest decimal text that is this double and no other.
  spend: 'spend',
  model: 'model',
  modelGroup: 'model_group',
  provider: 'custom_llm_provider',
  user: 'user',
  endUser: 'end_user',
  teamId: 'team_id',
  organizationId: 'organization_id',
  sessionId: 'session_id',
  status: 'status',
  cacheHit: 'cache_hit',
} as const
const timeColumns = { startedAt: 'startTime', endedAt: 'endTime', firstChunkAt: 'completionStartTime' } as const
const countColumns = {
  inputTokens: 'prompt_tokens',
  outputTokens: 'completion_tokens',
  durationMs: 'request_duration_ms',
} as const

/** Where LiteLLM and we call a provider by different names. */
const providers: Readonly<Record<string, string>> = {
  azure_ai: 'azure',
  azure_text: 'azure',
  bedrock_converse: 'bedrock',
  cohere_chat: 'cohere',
  dashscope: 'alibaba',
  lm_studio: 'lmstudio',
  ollama_chat: 'ollama',
  'text-completion-openai': 'openai',
  together_ai: 'together',
  vercel_ai_gateway: 'vercel',
  vertex_ai: 'vertex',
  vertex_ai_beta: 'vertex',
}

/** Call types of LiteLLM, without the `a` of the asynchronous ones. Any other keeps its name. */
const requestTypes: Readonly<Record<string, string>> = {
  '': 'chat',
  completion: 'chat',
  responses: 'chat',
  anthropic_messages: 'chat',
  generate_content: 'chat',
  generate_content_stream: 'chat',
  text_completion: 'completion',
  image_generation: 'image',
  image_edit: 'image',
  image_variation: 'image',
}

/**
 * The rows of LiteLLM's spend log, with their request ids as keys. Of their JSON only counts, tags and the names of user and
 * team are read: no message, answer, key or address leaves the database. Opens one read-only transaction on one
 * connection of the pool; a page of rows is in memory.
 */
export async function* readLiteLlm(pool: pg.Pool, tableName = 'LiteLLM_SpendLogs'): AsyncGenerator<ImportLine> {
  const client = await pool.connect()
  try {
    await client.query(
      `begin isolation level repeatable read read only; set local statement_timeout = 0;
      set local idle_in_transaction_session_timeout = 0; set local time zone 'UTC'; set local extra_float_digits = 1`,
    )
    await explainRefusals(async () => {
      const table = await findTable(client, tableName)
      await client.query(`declare ${cursor} no scroll cursor for ${selectSpendLogs(table)}`)
    })
    for (let line = 1; ; ) {
      const { rows } = await client.query<SpendLog>(`fetch ${pageSize} from ${cursor}`)
      if (rows.length === 0) break
      for (const row of rows) yield { line: line++, text: row.requestId, fields: fieldsOf(row) }
    }
  } finally {
    client.release(true)
  }
}

function selectSpendLogs(table: Table): string {
  for (const name of required) getColumn(table, name, '--table')
  const select = (name: string, expression: (sql: string) => string, as: string) => {
    const column = findColumn(table, name)
    return `${column ? expression(`logs.${column.sql}`) : 'null'} as "${as}"`
  }
  const columns = [
    ...Object.entries(textColumns).map(([as, name]) => select(name, (sql) => `${sql}::text`, as)),
    ...Object.entries(countColumns).map(([as, name]) => select(name, (sql) => sql, as)),
    ...Object.entries(timeColumns).map(([as, name]) =>
      select(name, (sql) => `(extract(epoch from ${sql}::timestamptz) * 1000)::float8`, as),
    ),
    select('request_tags', (sql) => `${sql}::jsonb`, 'tags'),
    select('metadata', (sql) => `${sql}::jsonb ->> 'user_api_key_user_email'`, 'userEmail'),
    select('metadata', (sql) => `${sql}::jsonb ->> 'user_api_key_team_alias'`, 'teamAlias'),
    select(
      'metadata',
      (sql) => `coalesce(nullif(${sql}::jsonb -> 'usage_object', 'null'), ${sql}::jsonb -> 'additional_usage_values')`,
      'usage',
    ),
  ]
  return `select ${columns.join(', ')} from ${table.sql} as logs`
}

function fieldsOf(row: SpendLog): ImportFields {
  return {
    idempotencyKey: `litellm ${row.requestId}`,
    timestamp: row.startedAt === null ? undefined : Math.floor(row.startedAt),
    userEmail: row.endUser || row.userEmail || row.user,
    modelName: modelOf(row),
    inputTokens: row.inputTokens,
    outputTokens: row.outputTokens,
    ...partsOf(row),
    requestType: requestTypeOf(row.callType ?? ''),
    provider: providers[row.provider ?? ''] ?? row.provider,
    costEstimate: row.spend,
    costSource: 'entry',
    status: row.status === 'failure' ? 'error' : 'ok',
    sessionId: row.sessionId,
    project: row.teamAlias || row.teamId,
    responseId: row.requestId.length <= 256 ? row.requestId : undefined,
    ...timesOf(row),
    metadata: metadataOf(row),
  }
}

// A call that failed early has no model; its public name in the proxy is the next best.
function modelOf({ model, modelGroup, provider }: SpendLog): string {
  const name = model || modelGroup || 'unknown'
  return provider && name.startsWith(`${provider}/`) ? name.slice(provider.length + 1) : name
}

function requestTypeOf(callType: string): string {
  const name = callType.replace(
    /^a(?=completion|text_|embedding|image_|transcription|speech|rerank|responses|moderation|generate_)/,
    '',
  )
  return requestTypes[name] ?? name
}

// The parts of the totals that LiteLLM copied from the provider; those that exceed their total are of another meaning.
function partsOf({ usage, inputTokens, outputTokens }: SpendLog): ImportFields {
  if (typeof usage !== 'object' || usage === null) return {}
  const tokens = { prompt_tokens: inputTokens, completion_tokens: outputTokens }
  const { cacheReadTokens, cacheWriteTokens, reasoningTokens } = extractUsage({
    choices: [],
    usage: { ...usage, ...tokens },
  })
  const isInput = (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0) <= (inputTokens ?? 0)
  return {
    ...(isInput ? { cacheReadTokens, cacheWriteTokens } : {}),
    ...((reasoningTokens ?? 0) <= (outputTokens ?? 0) ? { reasoningTokens } : {}),
  }
}

function timesOf({ startedAt, endedAt, firstChunkAt, durationMs }: SpendLog): ImportFields {
  if (startedAt === null || endedAt === null || endedAt < startedAt) return {}
  // Without a stream LiteLLM writes the end into both.
  const isStream = firstChunkAt !== null && firstChunkAt >= startedAt && firstChunkAt < endedAt
  return {
    durationMs: durationMs ?? Math.round(endedAt - startedAt),
    ...(isStream ? { timeToFirstChunkMs: Math.round(firstChunkAt - startedAt) } : {}),
  }
}

function metadataOf({ tags, teamId, organizationId, cacheHit }: SpendLog): object | undefined {
  const litellm = {
    ...(Array.isArray(tags) && tags.length > 0 ? { tags } : {}),
    ...(teamId ? { teamId } : {}),
    ...(organizationId ? { organizationId } : {}),
    ...(cacheHit?.toLowerCase() === 'true' ? { cacheHit: true } : {}),
  }
  return Object.keys(litellm).length > 0 ? { litellm } : undefined
}
