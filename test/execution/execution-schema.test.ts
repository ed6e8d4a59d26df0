import { expect, expectTypeOf, it } from 'vitest'
import { type Execution, type ExecutionResult, executionSchema, toExecution } from '../../src/index.js'

const result: ExecutionResult = {
  output: 'Forty-two.',
  inputTokensUsed: 12,
  outputTokensUsed: 3,
  provider: 'anthropic',
  model: 'claude-sonnet-5-5',
}

/** As an application stored it before there were counts. */
const withoutCounts = {
  id: 'exec-1',
  prompt_id: 'prompt-1',
  status: 'completed',
  result: 'Forty-two.',
  provider: 'openai',
  model: 'gpt-4o',
  created_at: '2024-03-01T09:30:00+01:00',
}

it('makes a completed execution of a result', () => {
  const createdAt = new Date('2026-11-22T10:00:00.250Z')

  const execution = toExecution(result, { id: 'exec-1', promptId: 'prompt-1', createdAt })

  expect(execution).toEqual({
    id: 'exec-1',
    prompt_id: 'prompt-1',
    status: 'completed',
    result: 'Forty-two.',
    input_tokens_used: 12,
    output_tokens_used: 3,
    provider: 'anthropic',
    model: 'claude-sonnet-5-5',
    created_at: '2026-11-22T10:00:00.250Z',
  })
})

it('dates an execution by the clock where no time is given', () => {
  const before = Date.now()

  const { created_at } = toExecution(result, { id: 'exec-1', promptId: 'prompt-1' })

  expect(Date.parse(created_at)).toBeGreaterThanOrEqual(before)
  expect(Date.parse(created_at)).toBeLessThanOrEqual(Date.now())
})

it.each([
  ['a new one', toExecution(result, { id: 'exec-1', promptId: 'prompt-1' })],
  ['an old one without counts', withoutCounts],
  [
    'an old one whose columns of counts are empty',
    { ...withoutCounts, input_tokens_used: null, output_tokens_used: null },
  ],
  ['a pending one', { ...withoutCounts, status: 'pending', result: null }],
  ['a failed one', { ...withoutCounts, status: 'failed', result: null }],
])('reads and writes %s without a change', (_name, execution) => {
  const read = executionSchema.parse(JSON.parse(JSON.stringify(execution)))

  expect(JSON.parse(JSON.stringify(read))).toEqual(execution)
})

it('accepts keys that it does not know, and leaves them out', () => {
  const read = executionSchema.parse({ ...withoutCounts, reviewed_by: 'ada@example.com' })

  expect(read).toEqual(withoutCounts)
})

it.each([
  ['an unknown status', { status: 'done' }],
  ['a negative count', { input_tokens_used: -1 }],
  ['a fraction of a token', { output_tokens_used: 1.5 }],
  ['a count as text', { output_tokens_used: '3' }],
  ['a date that is not ISO 8601', { created_at: 'March 1, 2024' }],
  ['a time without its zone', { created_at: '2024-03-01T09:30:00' }],
  ['no provider', { provider: undefined }],
  ['a completed one without its result', { result: undefined }],
])('refuses %s', (_name, change) => {
  const read = executionSchema.safeParse({ ...withoutCounts, ...change })

  expect(read.success).toBe(false)
})

it('types the optional counts and the states of an execution', () => {
  expectTypeOf<Execution['status']>().toEqualTypeOf<'pending' | 'completed' | 'failed'>()
  expectTypeOf<Execution['input_tokens_used']>().toEqualTypeOf<number | null | undefined>()
  expectTypeOf(toExecution).returns.toEqualTypeOf<Execution>()
})
