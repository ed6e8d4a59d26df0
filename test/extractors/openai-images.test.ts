import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'

it('counts images as 1 and 1, with the real counts in raw', () => {
  const usage = { input_tokens: 50, output_tokens: 1056, input_tokens_details: { text_tokens: 10, image_tokens: 40 } }

  expect(extractUsage({ created: 1, data: [{ b64_json: 'aaaa' }], usage })).toMatchObject({
    inputTokens: 1,
    outputTokens: 1,
    raw: usage,
  })
  expect(extractUsage({ created: 1, data: [{ url: 'https://x' }] })).toMatchObject({
    inputTokens: 1,
    outputTokens: 1,
    raw: null,
  })
})
