import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'

const choices = [{ message: { content: 'Seven.' }, finish_reason: 'stop' }]
const chat = (usage: object) => extractUsage({ choices, usage })

it('notes more tokens from the cache than there is input, and changes neither', () => {
  const usage = {
    prompt_tokens: 10,
    completion_tokens: 8,
    total_tokens: 18,
    prompt_tokens_details: { cached_tokens: 161 },
    cost_in_usd_ticks: 0,
  }

  expect(chat(usage)).toMatchObject({
    inputTokens: 10,
    cacheReadTokens: 161,
    raw: { ...usage, inconsistent: ['cache'] },
  })
})

it('notes more reasoning than there is output', () => {
  const usage = { prompt_tokens: 4, completion_tokens: 10, total_tokens: 14 }

  expect(chat({ ...usage, completion_tokens_details: { reasoning_tokens: 11 } })).toMatchObject({
    outputTokens: 10,
    reasoningTokens: 11,
    raw: { inconsistent: ['reasoning'] },
  })
})

it('notes a total that is less than its parts', () => {
  expect(chat({ prompt_tokens: 40, completion_tokens: 10, total_tokens: 45 })).toMatchObject({
    inputTokens: 40,
    outputTokens: 10,
    raw: { inconsistent: ['total'] },
  })
})

it('takes a negative count for unknown and notes it', () => {
  const usage = {
    input_tokens: 0,
    output_tokens: -9,
    output_tokens_details: { reasoning_tokens: 448 },
    total_tokens: -9,
  }

  expect(extractUsage({ object: 'response', status: 'incomplete', usage })).toMatchObject({
    inputTokens: 0,
    outputTokens: null,
    reasoningTokens: 448,
    raw: { ...usage, inconsistent: ['negative'] },
  })
})

it.each([
  ['Gemini', { candidates: [], usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 5, totalTokenCount: 11 } }],
  [
    'Gemini Interactions',
    { object: 'interaction', usage: { total_input_tokens: 5, total_output_tokens: 5, total_tokens: 11 } },
  ],
  ['Responses', { object: 'response', usage: { input_tokens: 5, output_tokens: 5, total_tokens: 11 } }],
  ['transcriptions', { text: '', usage: { type: 'tokens', input_tokens: 5, output_tokens: 5, total_tokens: 11 } }],
  ['Bedrock', { output: {}, stopReason: 'end_turn', usage: { inputTokens: 5, outputTokens: 5, totalTokens: 11 } }],
])('notes a total of %s that is not its parts, and leaves them', (_name, answer) => {
  expect(extractUsage(answer)).toMatchObject({ inputTokens: 5, outputTokens: 5, raw: { inconsistent: ['total'] } })
})

it('notes nothing where nothing contradicts', () => {
  expect(chat({ prompt_tokens: 4, completion_tokens: 10, total_tokens: 14 }).raw).not.toHaveProperty('inconsistent')
})

it('judges the counts of a stream by its last ones', () => {
  const usage = (completion_tokens: number) => ({ prompt_tokens: 4, completion_tokens, total_tokens: 14 })
  const stream = [
    { choices, usage: usage(11) },
    { choices, usage: usage(10) },
  ]

  expect(extractUsage(stream.slice(0, 1)).raw).toHaveProperty('inconsistent')
  expect(extractUsage(stream).raw).not.toHaveProperty('inconsistent')
})
