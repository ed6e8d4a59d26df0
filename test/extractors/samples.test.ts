import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findProviderHost } from '../../src/capture/provider-hosts.js'
import { extractUsage } from '../../src/extractors/extract-usage.js'
import { findFormatOfRequest, wireFormats } from '../../src/extractors/registry.js'
import type { WireFormat } from '../../src/extractors/wire-format.js'
import { type Sample, samples } from './samples.js'

describe.each(samples.map((sample) => [`${sample.provider} at ${new URL(sample.url).pathname}`, sample] as const))(
  '%s',
  (_name, sample) => {
    it('is known by its request, and by its path alone', () => {
      const { pathname, hostname } = new URL(sample.url)

      expect(findFormatOfRequest({ path: pathname, body: null })).toBeDefined()
      const format = formatOf(sample)
      expect(format.requestType).toBe(sample.requestType)
      expect(findProviderHost(hostname)?.provider ?? format.provider).toBe(sample.provider)
    })

    it('is counted, and tells its model and what it generated', () => {
      const format = formatOf(sample)

      const { usage, model, progress } = sample.messages.reduce(format.reduce, format.initial)

      const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens } = usage
      expect([inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens]).toEqual(sample.counts)
      expect(model).toBe(sample.model)
      expect(sample.messages.map(format.outputTextOf).join('')).toBe(sample.text)
      if (sample.messages.length > 1) expect(['finished', 'ended']).toContain(progress)
    })
  },
)

// What only the request shows: an answer without any mark of its maker, and which kind of model it went to.
const notKnownByAnswer = ['/v1/audio/translations', '/v2/audio/transcriptions', '/invoke']

it('extractUsage knows each of them by the answer alone', () => {
  const known = samples.filter(({ url }) => !notKnownByAnswer.some((end) => url.endsWith(end)))

  const read = known.map(({ messages }) => extractUsage(messages.length === 1 ? messages[0] : messages))

  expect(known.length).toBeGreaterThan(60)
  expect(read.map(({ inputTokens, outputTokens }) => [inputTokens, outputTokens])).toEqual(
    known.map(({ counts }) => counts.slice(0, 2)),
  )
})

it('every format is that of a sample', () => {
  const used = new Set(samples.map(formatOf))

  expect(wireFormats.filter((format) => !used.has(format))).toEqual([])
})

const odd = fc.oneof(
  fc.anything(),
  fc.constantFrom(-9, 1.5, 2 ** 60, Number.NaN, null, undefined, '', '__proto__', [], {}),
)

/** The sample with one value, wherever it may stand, replaced by another. */
const mutated = fc
  .tuple(fc.constantFrom(...samples), fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }), odd)
  .map(([sample, path, value]) => ({ sample, messages: replaceAt(sample.messages, path, value) as unknown[] }))

it('no change of a real answer makes a format throw or give a count that is none', () => {
  const isCount = (count: number | null) => count === null || (Number.isSafeInteger(count) && count >= 0)

  fc.assert(
    fc.property(mutated, ({ sample, messages }) => {
      const format = formatOf(sample)
      const { usage } = messages.reduce(format.reduce, format.initial)
      const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens } = usage
      const counts = [inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens]
      for (const message of messages) for (const other of wireFormats) other.matchesAnswer(message)
      const isText = messages.every((message) => typeof format.outputTextOf(message) === 'string')
      return isText && counts.every(isCount)
    }),
    { numRuns: 5000, seed: 1 },
  )
})

function formatOf({ url, request }: Sample): WireFormat {
  const format = findFormatOfRequest({ path: new URL(url).pathname, body: request })
  if (!format) throw new Error(`no format for ${url}`)
  return format
}

function replaceAt(value: unknown, [step, ...path]: readonly number[], by: unknown): unknown {
  if (step === undefined || typeof value !== 'object' || value === null) return by
  const names = Object.keys(value)
  const name = names[step % names.length]
  if (name === undefined) return by
  const replaced = replaceAt(Reflect.get(value, name), path, by)
  return Array.isArray(value) ? value.with(Number(name), replaced) : { ...value, [name]: replaced }
}
