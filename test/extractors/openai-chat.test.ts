import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'
import { openAiChat } from '../../src/extractors/openai-chat.js'

const choices = [{ index: 0, delta: { content: 'a' }, finish_reason: null }]
const finish = [{ index: 0, delta: {}, finish_reason: 'stop' }]

it('counts the input with its cached part and the output with its reasoning', () => {
  const usage = {
    prompt_tokens: 100,
    completion_tokens: 50,
    total_tokens: 150,
    prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 20 },
    completion_tokens_details: { reasoning_tokens: 30 },
  }

  expect(extractUsage({ choices: finish, usage, service_tier: 'flex' })).toEqual({
    inputTokens: 100,
    outputTokens: 50,
    cacheReadTokens: 60,
    cacheWriteTokens: 20,
    reasoningTokens: 30,
    raw: { ...usage, service_tier: 'flex' },
  })
})

it('takes the last usage of a stream, whichever chunk carries it, and adds none up', () => {
  const usage = (completion: number) => ({ prompt_tokens: 9, completion_tokens: completion })

  const chunks = [
    { choices: [], prompt_filter_results: [{}] },
    { choices, usage: usage(1) },
    { choices: finish, usage: usage(7) },
    { choices: [], usage: null },
  ]

  expect(extractUsage(chunks)).toMatchObject({ inputTokens: 9, outputTokens: 7 })
})

it("finds Groq's usage where there is no other, and counts it once where there are both", () => {
  const usage = { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 }
  const stream = [{ choices }, { choices: finish, x_groq: { usage } }, { choices: [], usage }]

  expect(extractUsage(stream.slice(0, 2))).toMatchObject({ inputTokens: 5, outputTokens: 6 })
  expect(extractUsage(stream)).toMatchObject({ inputTokens: 5, outputTokens: 6 })
})

it.each([
  ['reasoning', { completion_tokens_details: { reasoning_tokens: 40 } }, 10, 45],
  ['thoughts that are nowhere else', {}, 10, 45],
  ['audio', { prompt_tokens_details: { audio_tokens: 40 } }, 50, 5],
])("believes the provider's total about %s", (_what, details, inputTokens, outputTokens) => {
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 55, ...details }

  expect(extractUsage({ choices: finish, usage })).toMatchObject({ inputTokens, outputTokens })
})

it.each([
  ['Together', { cached_tokens: 3 }],
  ['DeepSeek', { prompt_cache_hit_tokens: 3, prompt_cache_miss_tokens: 2 }],
  ['Mistral', { num_cached_tokens: 3 }],
])('knows where %s puts what was read from the cache', (_name, part) => {
  const usage = { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6, ...part }

  expect(extractUsage({ choices: finish, usage })).toMatchObject({ inputTokens: 5, cacheReadTokens: 3 })
})

it.each([-9, 1.5, '7', null, undefined, Number.NaN, 2 ** 60])(
  'takes a count of %s for unknown, and for no 0',
  (count) => {
    const usage = { prompt_tokens: count, completion_tokens: 5, total_tokens: 10 }

    expect(extractUsage({ choices: finish, usage })).toMatchObject({
      inputTokens: null,
      outputTokens: 5,
      cacheReadTokens: null,
    })
  },
)

it('is finished by a reason, ended by [DONE] and failed by an error, whatever comes after', () => {
  const progress = (messages: unknown[]) => messages.reduce(openAiChat.reduce, openAiChat.initial).progress

  expect(progress([{ choices }])).toBe('running')
  expect(progress([{ choices: finish }, { choices: [] }])).toBe('finished')
  expect(progress([{ choices: finish }, '[DONE]'])).toBe('ended')
  expect(progress([{ choices, error: null }])).toBe('running')
  expect(progress([{ error: { message: 'x' } }, '[DONE]'])).toBe('failed')
})

it('keeps the tier that a stream tells before its counts, or beside them', () => {
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  const stream = [
    { choices, service_tier: 'flex' },
    { choices: [], usage },
  ]

  expect(extractUsage(stream.slice(0, 1)).raw).toEqual({ service_tier: 'flex' })
  expect(extractUsage(stream).raw).toEqual({ ...usage, service_tier: 'flex' })
  expect(extractUsage([...stream, { choices: [], service_tier: 'default' }]).raw).toEqual({
    ...usage,
    service_tier: 'default',
  })
})
