import type pg from 'pg'

/** The columns of `token_usage_logs` that a call decides. */
export type StoredRow = {
  readonly sessionId: string
  readonly userEmail: string
  readonly modelName: string
  readonly provider: string | null
  readonly requestType: string
  readonly status: string | null
  readonly usageSource: string | null
  readonly responseId: string | null
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number | null
  readonly cacheWriteTokens: number | null
  readonly reasoningTokens: number | null
}

const sql = `
  select
    session_id as "sessionId",
    user_email as "userEmail",
    model_name as "modelName",
    provider,
    request_type as "requestType",
    status,
    usage_source as "usageSource",
    response_id as "responseId",
    input_tokens as "inputTokens",
    output_tokens as "outputTokens",
    cache_read_tokens as "cacheReadTokens",
    cache_write_tokens as "cacheWriteTokens",
    reasoning_tokens as "reasoningTokens"
  from token_usage_logs
  where starts_with(session_id, $1)
  order by id`

/** The rows of the sessions whose name begins with `prefix`, in the order in which they were written. */
export async function readStoredRows(pool: pg.Pool, prefix: string): Promise<StoredRow[]> {
  const { rows } = await pool.query<StoredRow>(sql, [prefix])
  return rows
}
