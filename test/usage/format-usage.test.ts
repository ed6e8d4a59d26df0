import { expect, it } from 'vitest'
import { formatUsage } from '../../src/index.js'

const counts = { inputTokens: 1500, outputTokens: 3500 }
const costIn = (line: string) => line.replace(/^.*Cost: /, '')

it('says what was used in one line', () => {
  expect(formatUsage({ ...counts, costUsd: 0.003 })).toBe(
    'Input: 1,500 tokens, Output: 3,500 tokens, Total: 5,000 tokens, Cost: $0.003 (~0.3¢)',
  )
})

it.each([
  [0, '$0.00'],
  ['0.00000012', '$0.00000012 (~0.000012¢)'],
  [0.0031234, '$0.003123 (~0.31¢)'],
  [0.5, '$0.50 (~50¢)'],
  [1, '$1.00'],
  ['1234.567', '$1,234.57'],
  [null, 'unpriced'],
  [undefined, 'unpriced'],
  ['', 'unpriced'],
  [Number.NaN, 'unpriced'],
])('writes a cost of %s as %s', (costUsd, written) => {
  expect(costIn(formatUsage({ ...counts, costUsd }))).toBe(written)
})

it('shows what is not known as unknown, and not as 0', () => {
  expect(formatUsage({ inputTokens: 1, outputTokens: null, costUsd: null })).toBe(
    'Input: 1 token, Output: unknown, Total: unknown, Cost: unpriced',
  )
})
