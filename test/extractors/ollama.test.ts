import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'
import { unknownUsage } from '../../src/usage/token-usage.js'

const last = { model: 'llama', response: '', done: true, prompt_eval_count: 26, eval_count: 290, context: [1, 2, 3] }

it('counts with the last line only', () => {
  const lines = [{ model: 'llama', response: 'a', done: false, eval_count: 1 }, last]

  expect(extractUsage(lines)).toMatchObject({ inputTokens: 26, outputTokens: 290 })
  expect(extractUsage(last).raw).toEqual({ prompt_eval_count: 26, eval_count: 290 })
  expect(extractUsage(lines.slice(0, 1))).toEqual(unknownUsage)
})

it('does not take an input count that is left out for 0', () => {
  expect(extractUsage({ ...last, prompt_eval_count: undefined })).toMatchObject({
    inputTokens: null,
    outputTokens: 290,
  })
})
