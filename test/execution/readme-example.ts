import { randomUUID } from 'node:crypto'
import type Anthropic from '@anthropic-ai/sdk'
import type { Express } from 'express'
import { createClaudeProvider, toExecution, type UsageLogger } from '../../src/index.js'

/** The example of the README's section on several providers: its body is the README's text. */
export function addExecutions(app: Express, usage: UsageLogger, anthropic: Anthropic): void {
  const provider = createClaudeProvider(anthropic, { model: 'claude-sonnet-5-5', usage })

  app.post('/prompts/:id/executions', async (request, response) => {
    const result = await provider.execute(request.body.prompt, { system: 'Answer in one sentence.' })
    response.json(toExecution(result, { id: randomUUID(), promptId: request.params.id }))
  })
}
