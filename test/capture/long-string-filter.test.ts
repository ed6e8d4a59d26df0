import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LongStringFilter } from '../../src/capture/long-string-filter.js'

const maxBytes = 16

function filterText(text: string, cut: number): string {
  const filter = new LongStringFilter(maxBytes)
  const bytes = Buffer.from(text)
  const passed: Uint8Array[] = []
  for (let start = 0; start < bytes.length; start += cut) passed.push(filter.push(bytes.subarray(start, start + cut)))
  return Buffer.concat([...passed, filter.end()]).toString()
}

function emptyLongStrings(value: unknown): unknown {
  if (typeof value === 'string') return Buffer.byteLength(JSON.stringify(value)) - 2 > maxBytes ? '' : value
  if (Array.isArray(value)) return value.map(emptyLongStrings)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, emptyLongStrings(item)]))
}

it('empties the long strings of any JSON and changes nothing else, however the bytes are cut', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.constantFrom('"\\"', '\\\\', `${'\\'.repeat(17)}`, 'tab\tline\n'),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.array(tie('value')),
      fc.dictionary(fc.string({ maxLength: 5 }), tie('value')),
    ),
  })).value

  fc.assert(
    fc.property(value, fc.integer({ min: 1, max: 50 }), fc.constantFrom(undefined, 1), (document, cut, indent) => {
      const text = JSON.stringify(document, null, indent)

      const expected = JSON.parse(JSON.stringify(document))
      expect(JSON.parse(filterText(text, cut))).toEqual(emptyLongStrings(expected))
    }),
  )
})

it('finds its way back at the end of a line that is no JSON', () => {
  const text = `: it's a "comment\ndata: {"a":"${'x'.repeat(40)}","n":1}\n`

  expect(filterText(text, 5)).toBe(': it\'s a "comment\ndata: {"a":"","n":1}\n')
})

it('holds no more than a string of the bound', () => {
  const filter = new LongStringFilter(maxBytes)

  const passed = filter.push(Buffer.from(`"${'x'.repeat(1_000_000)}`))

  expect(passed.length + filter.end().length).toBeLessThanOrEqual(maxBytes + 1)
})
