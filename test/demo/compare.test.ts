import { describe, expect, it } from 'vitest'
import { type CountedCall, compare } from '../../scripts/demo/compare.js'
import type { StoredRow } from '../../scripts/demo/stored-rows.js'

const call: CountedCall = {
  id: 'demo-1',
  user: 'ada@example.com',
  provider: 'openai',
  requestType: 'chat',
  model: 'gpt-5',
  responseId: 'chatcmpl-1',
  counts: { inputTokens: 40, outputTokens: 9, cacheReadTokens: 30, cacheWriteTokens: 0, reasoningTokens: 4 },
  partsSent: 12,
  outcome: 'complete',
}
const row: StoredRow = {
  sessionId: 'demo-1',
  userEmail: 'ada@example.com',
  modelName: 'gpt-5',
  provider: 'openai',
  requestType: 'chat',
  status: 'ok',
  usageSource: 'provider',
  responseId: 'chatcmpl-1',
  inputTokens: 40,
  outputTokens: 9,
  cacheReadTokens: 30,
  cacheWriteTokens: null,
  reasoningTokens: 4,
}
const nothingKnown = { inputTokens: 0, outputTokens: 0, cacheReadTokens: null, reasoningTokens: null }
const brokenOff: CountedCall = { ...call, outcome: 'disconnected' }
const aborted: StoredRow = { ...row, ...nothingKnown, status: 'aborted', usageSource: 'unknown' }
const fromAnthropic = { provider: 'anthropic', counts: { ...call.counts, cacheWriteTokens: 5 } } as const
const anthropicRow: StoredRow = { ...row, provider: 'anthropic', cacheWriteTokens: 5, reasoningTokens: null }

describe('compare', () => {
  it('finds nothing wrong where each call has its row', () => {
    const calls = [call, { ...call, id: 'demo-2', user: 'bruno@example.com' }]
    const rows = [{ ...row, sessionId: 'demo-2', userEmail: 'bruno@example.com' }, row]

    expect(compare(calls, rows)).toEqual({
      calls: 2,
      rows: 2,
      missing: 0,
      duplicated: 0,
      different: 0,
      problems: [],
    })
  })

  it('counts a call without a row as missing, and a row beyond its own or of no call as duplicated', () => {
    const result = compare([call, { ...call, id: 'demo-2' }], [row, { ...row }, { ...row, sessionId: 'demo-9' }])

    expect(result).toMatchObject({ calls: 2, rows: 3, missing: 1, duplicated: 2, different: 0 })
    expect(result.problems).toEqual([
      'demo-2: no row for this call of gpt-5',
      'demo-1: a row too many',
      'demo-9: a row too many',
    ])
  })

  it.each(Object.keys(row).filter((column) => column !== 'sessionId'))('sees a wrong %s', (column) => {
    const result = compare([call], [{ ...row, [column]: -1 }])

    expect(result).toMatchObject({ missing: 0, duplicated: 0, different: 1 })
    expect(result.problems[0]).toMatch(new RegExp(`^demo-1: ${column} is -1 instead of `))
  })

  it.each<[string, CountedCall, StoredRow]>([
    ['a stream of OpenAI that was broken off', brokenOff, aborted],
    [
      'a stream of Ollama that was broken off',
      { ...brokenOff, provider: 'ollama', responseId: null },
      { ...aborted, provider: 'ollama', responseId: null },
    ],
    [
      'a stream of Anthropic that was broken off, whose input was told',
      { ...brokenOff, ...fromAnthropic },
      { ...anthropicRow, outputTokens: 0, status: 'aborted', usageSource: 'provider_partial' },
    ],
    [
      'a stream of Anthropic that was broken off before anything was told',
      { ...brokenOff, ...fromAnthropic, partsSent: 0 },
      { ...aborted, provider: 'anthropic' },
    ],
    [
      'a stream of OpenAI that was broken off and estimated',
      brokenOff,
      { ...aborted, usageSource: 'estimated', inputTokens: 8, outputTokens: 17 },
    ],
    [
      'a stream of Anthropic that was broken off, whose output was estimated',
      { ...brokenOff, ...fromAnthropic },
      { ...anthropicRow, outputTokens: 17, status: 'aborted', usageSource: 'estimated' },
    ],
    ['an answer of Anthropic', { ...call, ...fromAnthropic }, anthropicRow],
    [
      'an image, whatever it consumed',
      { ...call, requestType: 'image' },
      { ...row, ...nothingKnown, inputTokens: 1, outputTokens: 1, requestType: 'image', usageSource: 'fixed' },
    ],
  ])('expects of %s no more than can be known', (_name, counted, stored) => {
    expect(compare([counted], [stored])).toMatchObject({ different: 0, problems: [] })
  })

  it.each<[string, Partial<StoredRow>]>([
    ['a made-up count', { outputTokens: 7 }],
    ['an estimate of more than was sent', { usageSource: 'estimated', inputTokens: 8, outputTokens: 100 }],
    ['an estimate of nothing', { usageSource: 'estimated', inputTokens: 8, outputTokens: 0 }],
    ['an estimate without an input', { usageSource: 'estimated', inputTokens: 0, outputTokens: 9 }],
    ['a zero that claims to be known', { usageSource: 'provider' }],
    ['the status of an answer that ended', { status: 'ok' }],
  ])('takes %s in the row of a broken-off stream for a difference', (_name, change) => {
    expect(compare([brokenOff], [{ ...aborted, ...change }])).toMatchObject({ different: 1 })
  })
})
