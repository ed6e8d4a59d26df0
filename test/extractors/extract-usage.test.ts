import fc from 'fast-check'
import { expect, it } from 'vitest'
import { anthropicMessages } from '../../src/extractors/anthropic-messages.js'
import { extractUsage } from '../../src/extractors/extract-usage.js'
import { ollama } from '../../src/extractors/ollama.js'
import { openAiChat } from '../../src/extractors/openai-chat.js'
import { openAiImages } from '../../src/extractors/openai-images.js'
import { unknownUsage } from '../../src/usage/token-usage.js'

const names = [
  'choices',
  'usage',
  'error',
  'message',
  'delta',
  'type',
  'model',
  'done',
  'data',
  'x_groq',
  'service_tier',
  'prompt_tokens',
  'prompt_tokens_details',
  'cached_tokens',
  'input_tokens',
  'iterations',
  'stop_reason',
]
const texts = ['message_start', 'message', 'message_delta', 'image_generation.completed', '[DONE]', '__proto__']
const message = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.anything(),
    fc.constantFrom(...texts),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names), tie('any')),
  ),
})).any

it('no input makes a format throw or give a count that is none', () => {
  const isCount = (count: number | null) => count === null || (Number.isInteger(count) && count >= 0)

  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
      for (const format of [openAiChat, openAiImages, anthropicMessages, ollama]) {
        for (const one of messages) format.matchesAnswer(one)
        const { usage } = messages.reduce(format.reduce, format.initial)
        expect(isCount(usage.inputTokens) && isCount(usage.outputTokens)).toBe(true)
      }
      extractUsage(messages)
    }),
    { numRuns: 2000 },
  )
})

it('takes what it does not recognise for unknown usage, even where its getters throw', () => {
  const trap = new Proxy(
    {},
    {
      get: () => {
        throw new Error('trap')
      },
    },
  )

  for (const answer of [null, undefined, 7, 'text', [], {}, [null], trap, [trap], { usage: { prompt_tokens: 1 } }]) {
    expect(extractUsage(answer)).toEqual(unknownUsage)
  }
})

it('lets nothing of the content into raw', () => {
  const secret = 'the quick brown fox'
  const usage = {
    prompt_tokens: 1,
    note: secret,
    word: 'foxglove',
    service_tier: secret,
    [secret]: 1,
    prompt_tokens_details: { text: secret, list: [secret, { type: secret }] },
    deep: { deep: { deep: { deep: { deep: 1 } } } },
    ...JSON.parse('{"__proto__":{"polluted":1}}'),
  }

  const { raw } = extractUsage({ choices: [{ message: { content: secret } }], usage, service_tier: secret })

  expect(JSON.stringify(raw)).not.toContain('fox')
  expect(raw).toMatchObject({ prompt_tokens: 1 })
  expect({}).not.toHaveProperty('polluted')
})
