import fc from 'fast-check'
import { expect, it } from 'vitest'
import { UsageChunkFilter } from '../../src/capture/usage-chunk-filter.js'

const usageData = '{"choices": [], "usage" : {"prompt_tokens":1}}'

/** Feeds the text in pieces of these lengths, over and over, and joins what passes. */
function passThrough(text: string, lengths: readonly number[]): string {
  const filter = new UsageChunkFilter()
  const bytes = Buffer.from(text)
  const passed: Uint8Array[] = []
  for (let start = 0, turn = 0; start < bytes.length; turn++) {
    const end = start + (lengths[turn % lengths.length] ?? 1)
    passed.push(filter.push(bytes.subarray(start, end)))
    start = end
  }
  return Buffer.concat([...passed, filter.end()]).toString()
}

it('hides the usage chunk and nothing else, however the bytes are cut and the lines end', () => {
  const event = fc.oneof(
    fc.constantFrom(': ping', 'data: [DONE]', 'event: x\ndata: {"choices":[{}],"usage":{"prompt_tokens":1}}'),
    fc.constantFrom(
      'data: {"choices":[],"prompt_filter_results":[{}]}',
      'data: {"choices":[],"usage":null,"more":{"usage":{}}}',
      'data: {"usage": {',
    ),
    fc
      .string({ unit: 'grapheme' })
      .map((text) => `data: ${JSON.stringify({ choices: [{ delta: text }], usage: null })}`),
    fc.constant(null),
  )
  const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
  const lineEnd = fc.constantFrom('\n', '\r\n', '\r')

  fc.assert(
    fc.property(fc.array(event), lengths, lineEnd, fc.constantFrom('', 'data: {"cho'), (events, cuts, end, rest) => {
      const write = (lines: readonly string[]) =>
        lines.map((line) => line.replaceAll('\n', end) + end + end).join('') + rest
      const all = write(events.map((line) => line ?? `data: ${usageData}`))
      const visible = write(events.filter((line) => line !== null))

      expect(passThrough(all, cuts)).toBe(visible)
    }),
  )
})

it('hands an event on with its last byte', () => {
  const filter = new UsageChunkFilter()

  const passed = ['data: {"a":1}\n', '\n', `data: ${usageData}\n`, '\ndata: x', '\n\n'].map((text) =>
    Buffer.from(filter.push(Buffer.from(text))).toString(),
  )

  expect(passed).toEqual(['', 'data: {"a":1}\n\n', '', '', 'data: x\n\n'])
})

it('passes everything from an event of more than 1 MB on', () => {
  const long = `data: ${'x'.repeat(1_200_000)}`
  const text = `data: {}\n\n${long}\n\ndata: ${usageData}\n\n`

  expect(passThrough(text, [65_536]) === text).toBe(true)
})

it('keeps bytes of its own, whatever becomes of the chunk it was given', () => {
  const filter = new UsageChunkFilter()
  const chunk = Buffer.from('data: {"a":1}')

  filter.push(chunk)
  chunk.fill(0)

  expect(Buffer.from(filter.push(Buffer.from('\n\n'))).toString()).toBe('data: {"a":1}\n\n')
})

it('takes a long event in single bytes without copying what it holds for each of them', () => {
  const text = `data: "${'x'.repeat(1_000_000)}"\n\n`

  expect(passThrough(text, [1]) === text).toBe(true)
})
