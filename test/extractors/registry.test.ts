import { expect, it } from 'vitest'
import { findModelInPath } from '../../src/extractors/model-in-path.js'
import { findFormatOfRequest } from '../../src/extractors/registry.js'

const messages = [{ role: 'user', content: 'Wie viele?' }]

it.each([
  ['/api/v1/chat', { messages, model: 'm' }],
  ['/api/v1/chat', { message: 'hello' }],
  ['/v1/chat', { text: 'hello' }],
  ['/v2/chat', { messages }],
  ['/survey/responses', { answers: [] }],
  ['/interactions', { input: 'click' }],
  ['/rerank', { query: 'bee' }],
  ['/jobs/completions', { done: true }],
  ['/embeddings', { id: 7 }],
  ['/v1beta/models/gemini-9:countTokens', { contents: [] }],
  ['/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict', { messages, model: 'm' }],
  ['/v1/projects/p/locations/l/publishers/google/models/chirp-2:predict', { instances: [] }],
  ['/v1/responses/resp_1/cancel', null],
  ['/v1/messages/batches', null],
  ['/v1/audio/speech', null],
  ['/v1/batches', null],
  ['/v1beta/cachedContents', null],
  ['/model/anthropic.claude/count-tokens', null],
])('takes %s for no call of a model where the body does not say so', (path, body) => {
  expect(findFormatOfRequest({ path, body })).toBeUndefined()
})

it.each([
  ['/v1/chat/completions', null],
  ['/v1beta/models/gemini-2.5-pro:streamGenerateContent', 'gemini-2.5-pro'],
  ['/v1/projects/p/locations/l/publishers/anthropic/models/claude-9@20250219:rawPredict', 'claude-9@20250219'],
  ['/model/us.amazon.nova-lite-v1%3A0/converse-stream', 'us.amazon.nova-lite-v1:0'],
  [
    '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123%3Ainference-profile%2Fus.anthropic.claude-v9/invoke',
    'us.anthropic.claude-v9',
  ],
  ['/model/%E0%A4%A/invoke', '%E0%A4%A'],
  ['/openai/deployments/my-gpt/chat/completions', 'my-gpt'],
  ['/serving-endpoints/my-llama/invocations', 'my-llama'],
])('finds the model in %s', (path, model) => {
  expect(findModelInPath(path)).toBe(model)
})
