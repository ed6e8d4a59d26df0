import { expect, it } from 'vitest'
import { countOf, jsonTextOf, sumOfCounts } from '../../src/extractors/json-object.js'

it.each([-1, 1.5, '7', null, undefined, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
  'takes %s for no count',
  (value) => {
    expect(countOf(value)).toBeNull()
    expect(sumOfCounts([1, value])).toBeNull()
  },
)

it('does not know a sum that a number cannot hold', () => {
  expect(sumOfCounts([Number.MAX_SAFE_INTEGER, 1])).toBeNull()
  expect(sumOfCounts([Number.MAX_SAFE_INTEGER, 0])).toBe(Number.MAX_SAFE_INTEGER)
})

it('writes what cannot be JSON as nothing', () => {
  const circular: { self?: object } = {}
  circular.self = circular

  expect([circular, 1n, undefined, () => {}].map(jsonTextOf)).toEqual(['', '', '', ''])
})
