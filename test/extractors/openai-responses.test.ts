import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'
import { openAiResponses } from '../../src/extractors/openai-responses.js'
import { unknownUsage } from '../../src/usage/token-usage.js'

const created = {
  type: 'response.created',
  response: { id: 'r', object: 'response', status: 'in_progress', usage: null },
}
const usage = { input_tokens: 9, output_tokens: 4, total_tokens: 13 }
const last = (type: string, told: object | null) => ({
  type,
  response: { object: 'response', status: type.replace('response.', ''), usage: told },
})
const progressOf = (messages: readonly unknown[]) =>
  messages.reduce(openAiResponses.reduce, openAiResponses.initial).progress

it('does not know the usage that is null', () => {
  expect(extractUsage([created])).toEqual(unknownUsage)
  expect(extractUsage([created, last('response.failed', null)])).toEqual(unknownUsage)
})

it('knows the usage of an answer that was cut short, and of one that failed', () => {
  expect(extractUsage([created, last('response.incomplete', usage)])).toMatchObject({ inputTokens: 9, outputTokens: 4 })
  expect(extractUsage([created, last('response.failed', usage)])).toMatchObject({ inputTokens: 9, outputTokens: 4 })
})

it('waits after an error for the event that may tell the usage', () => {
  const error = { type: 'error', error: { code: 'insufficient_quota' } }

  expect(progressOf([created])).toBe('running')
  expect(progressOf([created, error])).toBe('running')
  expect(progressOf([created, error, last('response.failed', null)])).toBe('failed')
  expect(progressOf([created, last('response.incomplete', usage)])).toBe('ended')
  expect(progressOf([{ error: { message: 'no' } }])).toBe('failed')
})

it('keeps what changes the price: the tier that was used in the end, tools, the cost that xAI tells', () => {
  const response = {
    object: 'response',
    service_tier: 'priority',
    tool_usage: { web_search: { num_requests: 2 } },
    usage: { ...usage, cost_in_usd_ticks: 500 },
  }

  expect(extractUsage({ type: 'response.completed', response }).raw).toEqual({
    ...usage,
    service_tier: 'priority',
    tool_usage: { web_search: { num_requests: 2 } },
    cost_in_usd_ticks: 500,
  })
})
