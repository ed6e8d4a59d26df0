import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import { expect, it, onTestFinished } from 'vitest'
import { executionSchema } from '../../src/index.js'
import { addExecutions } from './readme-example.js'
import { startProviders } from './start-providers.js'

it('answers a prompt as the README says, and leaves one row', async () => {
  const { usage, clients, calls, rows } = await startProviders()
  const app = express().use(usage.express({ user: 'ada@example.com' }), express.json())
  addExecutions(app, usage, clients.anthropic)

  const execution = await post(`${await serve(app)}/prompts/prompt-1/executions`, { prompt: 'How many?' })

  expect(executionSchema.parse(execution)).toEqual(execution)
  expect(execution).toMatchObject({
    prompt_id: 'prompt-1',
    status: 'completed',
    input_tokens_used: calls[0]?.counts.inputTokens,
    output_tokens_used: calls[0]?.counts.outputTokens,
  })
  expect(await rows()).toMatchObject([{ userEmail: 'ada@example.com', status: 'ok' }])
})

it('is the example that the README prints', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const source = readFileSync(new URL('readme-example.ts', import.meta.url), 'utf8')
  const body = source.slice(source.indexOf('{\n', source.indexOf('function')) + 2, source.lastIndexOf('}'))
  const example = body.replaceAll(/^ {2}/gm, '').trim()

  expect(example).toContain('createClaudeProvider(')
  expect(readme).toContain(example)
})

async function serve(app: Express): Promise<string> {
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function post(url: string, body: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return response.json()
}
