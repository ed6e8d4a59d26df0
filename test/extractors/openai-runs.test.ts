import { expect, it } from 'vitest'
import { extractUsage } from '../../src/extractors/extract-usage.js'
import { openAiRuns } from '../../src/extractors/openai-runs.js'
import { unknownUsage } from '../../src/usage/token-usage.js'

const run = (status: string) => ({ object: 'thread.run', id: 'run_1', status, usage: null })

it('does not take the counts of a step for those of the run', () => {
  const step = { object: 'thread.run.step', status: 'completed', usage: { prompt_tokens: 300, completion_tokens: 1 } }

  expect(extractUsage([run('queued'), step])).toEqual(unknownUsage)
})

it.each([
  ['queued', 'running'],
  ['requires_action', 'finished'],
  ['expired', 'failed'],
])('takes a run that is %s for %s', (status, progress) => {
  expect(openAiRuns.reduce(openAiRuns.initial, run(status)).progress).toBe(progress)
})
