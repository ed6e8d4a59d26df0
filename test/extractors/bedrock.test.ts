import { expect, it } from 'vitest'
import { bedrockConverse } from '../../src/extractors/bedrock-converse.js'
import { bedrockInvoke, bedrockInvokeEmbeddings } from '../../src/extractors/bedrock-invoke.js'
import { extractUsage } from '../../src/extractors/extract-usage.js'

const converse = (usage: object) => extractUsage({ output: {}, stopReason: 'end_turn', usage })
const cache = { cacheReadInputTokens: 300, cacheWriteInputTokens: 20 }

it('adds the cache to the input unless the total shows it to be in there', () => {
  expect(converse({ inputTokens: 10, outputTokens: 5, totalTokens: 335, ...cache })).toMatchObject({ inputTokens: 330 })
  expect(converse({ inputTokens: 330, outputTokens: 5, totalTokens: 335, ...cache })).toMatchObject({
    inputTokens: 330,
  })
  expect(converse({ inputTokens: 10, outputTokens: 5, ...cache })).toMatchObject({ inputTokens: 330 })
})

it('keeps for how long was written to the cache', () => {
  const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 9, cacheWriteInputTokens: 7 }
  const cacheDetails = [{ ttl: '1h', inputTokens: 7 }]

  expect(converse({ ...usage, cacheDetails }).raw).toEqual({ ...usage, cacheDetails })
})

it.each(['throttlingException', 'modelStreamErrorException', 'error'])('takes %s for a failed stream', (name) => {
  const messages = [{ messageStart: { role: 'assistant' } }, { [name]: { message: 'no' } }]

  expect(messages.reduce(bedrockConverse.reduce, bedrockConverse.initial).progress).toBe('failed')
  expect(messages.reduce(bedrockInvoke.reduce, bedrockInvoke.initial).progress).toBe('failed')
})

it('reads the events of the AWS SDK, whose bytes are decoded already', () => {
  const bytes = new TextEncoder().encode('{"generation":"a","prompt_token_count":3,"generation_token_count":1}')

  expect(extractUsage([{ chunk: { bytes } }])).toMatchObject({ inputTokens: 3, outputTokens: 1 })
})

it('takes the counts of the headers where the body has none', () => {
  const headers = new Headers({ 'x-amzn-bedrock-input-token-count': '12', 'x-amzn-bedrock-output-token-count': '5' })
  const body = { response_type: 'embeddings_by_type', embeddings: {} }

  const chat = bedrockInvoke.readHeaders?.(bedrockInvoke.initial, headers)
  const embedded = bedrockInvokeEmbeddings.readHeaders?.(bedrockInvokeEmbeddings.initial, headers)

  expect(chat && bedrockInvoke.reduce(chat, {}).usage).toMatchObject({ inputTokens: 12, outputTokens: 5 })
  expect(embedded && bedrockInvokeEmbeddings.reduce(embedded, body).usage).toMatchObject({
    inputTokens: 12,
    outputTokens: 0,
  })
})

it('does not take a header that is no count for one', () => {
  const headers = new Headers({ 'x-amzn-bedrock-input-token-count': '-1', 'x-amzn-bedrock-output-token-count': 'many' })

  expect(bedrockInvoke.readHeaders?.(bedrockInvoke.initial, headers)?.usage).toMatchObject({
    inputTokens: null,
    outputTokens: null,
  })
})

it('keeps nothing of Bedrock where it told nothing', () => {
  const { initial, readHeaders } = bedrockInvoke

  expect(readHeaders?.(initial, new Headers())).toEqual(initial)
})

it('counts a stream once where the maker and Bedrock both tell its counts', () => {
  const chunk = (content: object) => ({ chunk: { bytes: Buffer.from(JSON.stringify(content)).toString('base64') } })
  const usage = { input_tokens: 4, cache_read_input_tokens: 90, output_tokens: 1 }
  const metrics = { inputTokenCount: 4, outputTokenCount: 7, cacheReadInputTokenCount: 90 }
  const stream = [
    chunk({ type: 'message_start', message: { usage } }),
    chunk({ type: 'message_delta', delta: {}, usage: { output_tokens: 7 } }),
    chunk({ type: 'message_stop', 'amazon-bedrock-invocationMetrics': metrics }),
  ]

  expect(extractUsage(stream)).toMatchObject({ inputTokens: 94, outputTokens: 7, cacheReadTokens: 90 })
})

it('skips an event that cannot be read', () => {
  const long = Buffer.from(`{"prompt_token_count":3,"generation":"${'a'.repeat(1_100_000)}"}`)
  for (const bytes of ['%%%', '', 7, Buffer.from('{').toString('base64'), long, long.toString('base64')]) {
    const { usage, progress } = bedrockInvoke.reduce(bedrockInvoke.initial, { chunk: { bytes } })
    expect([usage, progress]).toEqual([bedrockInvoke.initial.usage, 'running'])
  }
})
