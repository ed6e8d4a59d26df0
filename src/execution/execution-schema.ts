import { z } from 'zod'
import type { ExecutionResult } from './ai-provider.js'

/**
 * One execution of a prompt as an API hands it out. `status` is `pending` before the model has answered, `completed`
 * after, and `failed` where it did not, be it because it was broken off; `result` is null unless completed. The counts
 * are absent or null in executions from before they were kept. Keys that are not named here are accepted and left out.
 */
export const executionSchema = z.object({
  id: z.string(),
  prompt_id: z.string(),
  status: z.enum(['pending', 'completed', 'failed']),
  result: z.string().nullable(),
  /** 0 also where the provider did not say. */
  input_tokens_used: z.int().nonnegative().nullish(),
  /** 0 also where the provider did not say. */
  output_tokens_used: z.int().nonnegative().nullish(),
  provider: z.string(),
  model: z.string(),
  /** ISO 8601 with its zone. */
  created_at: z.iso.datetime({ offset: true }),
})

/** What `executionSchema` accepts. */
export type Execution = z.infer<typeof executionSchema>

/** What an execution is called, and when it was made: now by default. */
export type ExecutionIdentity = { readonly id: string; readonly promptId: string; readonly createdAt?: Date }

/** The completed execution of a result, with `created_at` in UTC. Storing it, if at all, is the application's affair. */
export function toExecution(result: ExecutionResult, identity: ExecutionIdentity): Execution {
  const { id, promptId, createdAt = new Date() } = identity
  return {
    id,
    prompt_id: promptId,
    status: 'completed',
    result: result.output,
    input_tokens_used: result.inputTokensUsed,
    output_tokens_used: result.outputTokensUsed,
    provider: result.provider,
    model: result.model,
    created_at: createdAt.toISOString(),
  }
}
