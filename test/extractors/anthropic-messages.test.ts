import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'

const usage = { input_tokens: 10, cache_creation_input_tokens: 200, cache_read_input_tokens: 3000, output_tokens: 7 }
const start = {
  type: 'message_start',
  message: { id: 'msg_1', model: 'claude', usage: { ...usage, output_tokens: 2 } },
}

it('adds what was read from and written to the cache to the input', () => {
  const answer = { type: 'message', content: [], usage: { ...usage, output_tokens_details: { thinking_tokens: 4 } } }

  expect(extractUsage(answer)).toMatchObject({
    inputTokens: 3210,
    outputTokens: 7,
    cacheReadTokens: 3000,
    cacheWriteTokens: 200,
    reasoningTokens: 4,
  })
})

it('overwrites each count by itself, with the last value that there is', () => {
  const stream = [
    start,
    {
      type: 'message_delta',
      delta: {},
      usage: { output_tokens: 5, input_tokens: 40, cache_read_input_tokens: null },
    },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } },
    { type: 'message_stop' },
  ]

  expect(extractUsage(stream)).toMatchObject({ inputTokens: 3240, outputTokens: 9, cacheReadTokens: 3000 })
})

it('takes the output count of the beginning for the placeholder that it is', () => {
  expect(extractUsage([start])).toMatchObject({ inputTokens: 3210, outputTokens: null })
  expect(extractUsage([start]).raw).not.toHaveProperty('output_tokens')
})

it('does not know the input of which a part is no count', () => {
  const answer = { type: 'message', content: [], usage: { ...usage, cache_read_input_tokens: -1 } }

  expect(extractUsage(answer)).toMatchObject({ inputTokens: null, outputTokens: 7, cacheReadTokens: null })
})

it('keeps what changes the price beside the counts', () => {
  const priced = {
    ...usage,
    cache_creation: { ephemeral_5m_input_tokens: 150, ephemeral_1h_input_tokens: 50 },
    server_tool_use: { web_search_requests: 1 },
    service_tier: 'priority',
    inference_geo: 'us',
  }

  expect(extractUsage({ type: 'message', content: [], usage: priced }).raw).toEqual(priced)
})

const iteration = (type: string, input_tokens: number, output_tokens: number) => ({
  type,
  model: type === 'message' ? undefined : 'claude-adviser',
  input_tokens,
  cache_creation_input_tokens: 100,
  cache_read_input_tokens: 1,
  output_tokens,
})

it.each(['compaction', 'advisor_message'])(
  'counts what a call had another model do as %s, and keeps the parts',
  (type) => {
    const iterations = [iteration('message', 5, 3), iteration(type, 50_000, 90), iteration('message', 5, 4)]
    const delta = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7, iterations } }

    expect(extractUsage([start, delta])).toMatchObject({
      inputTokens: 50_313,
      outputTokens: 97,
      cacheReadTokens: 3,
      cacheWriteTokens: 300,
      raw: { output_tokens: 7, iterations: [{}, { type, model: 'claude-adviser', input_tokens: 50_000 }, {}] },
    })
  },
)

it('counts every part, also of more than are kept', () => {
  const iterations = Array.from({ length: 100 }, () => iteration('advisor_message', 10, 1))

  expect(extractUsage({ type: 'message', content: [], usage: { ...usage, iterations } })).toMatchObject({
    inputTokens: 100 * 111,
    outputTokens: 100,
  })
})

it('counts by the top where all parts are of the call itself', () => {
  const iterations = [iteration('message', 5, 3), iteration('message', 5, 4)]

  expect(extractUsage({ type: 'message', content: [], usage: { ...usage, iterations } })).toMatchObject({
    inputTokens: 3210,
    outputTokens: 7,
  })
})

it('notes that more was written to the cache than is told for how long', () => {
  const split = { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 0 }
  const began = { ...start, message: { ...start.message, usage: { ...usage, cache_creation: split } } }
  const delta = { type: 'message_delta', delta: {}, usage: { cache_creation_input_tokens: 250, output_tokens: 9 } }

  expect(extractUsage([began]).raw).not.toHaveProperty('inconsistent')
  expect(extractUsage([began, delta])).toMatchObject({
    cacheWriteTokens: 250,
    raw: { cache_creation: split, inconsistent: ['cache_creation'] },
  })
  expect(
    extractUsage([began, delta, { ...delta, usage: { cache_creation_input_tokens: 200 } }]).raw,
  ).not.toHaveProperty('inconsistent')
})
