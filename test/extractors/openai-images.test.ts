import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'

it('counts images as 1 and 1, with the real counts and the number of images in raw', () => {
  const usage = { input_tokens: 50, output_tokens: 1056, input_tokens_details: { text_tokens: 10, image_tokens: 40 } }

  expect(extractUsage({ created: 1, data: [{ b64_json: 'aaaa' }], usage })).toMatchObject({
    inputTokens: 1,
    outputTokens: 1,
    raw: { ...usage, images: 1 },
  })
  expect(extractUsage({ created: 1, data: [{ url: 'https://x' }, { url: 'https://y' }] })).toMatchObject({
    inputTokens: 1,
    outputTokens: 1,
    raw: { images: 2 },
  })
})

it('counts the images of a stream', () => {
  const partial = { type: 'image_generation.partial_image', b64_json: 'a', partial_image_index: 0 }
  const completed = { type: 'image_generation.completed', b64_json: 'a', usage: { output_tokens: 1056 } }

  expect(extractUsage([partial, completed, completed]).raw).toEqual({ output_tokens: 1056, images: 2 })
})
