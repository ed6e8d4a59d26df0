import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect } from 'vitest'
import { bundleScript } from '../../support/bundle-script.js'
import type { FaultCase, FaultContext, FaultResult } from '../fault-case.js'

/** All faults that a model of the recorder knows, in any order. */
export const modelCases: readonly FaultCase[] = [
  {
    id: 'M1',
    title: 'log, flush, crash, restart, cut, full, sweep and close in any order: as an in-memory model says',
    run: runModel,
    isShort: true,
  },
]

async function runModel({ scale, random, log }: FaultContext): Promise<FaultResult> {
  const runs = scale === 'short' ? 200 : 10_000
  const processes = 2
  const seeds = Array.from({ length: processes }, () => random.integer(1, 2 ** 31 - 1))
  await Promise.all(
    seeds.map(async (seed) => {
      const child = spawn(process.execPath, [
        bundleScript('test/faults/model-runs.ts'),
        String(runs / processes),
        String(seed),
      ])
      let stderr = ''
      child.stderr.on('data', (chunk) => (stderr += chunk))
      createInterface(child.stdout).on(
        'line',
        (done) => Number(done) % 1000 === 0 && log(`${done} runs of one process`),
      )
      const [code] = await once(child, 'close')
      expect({ seed, code, stderr }).toEqual({ seed, code: 0, stderr: '' })
    }),
  )
  return { announced: 0, lost: 0, twice: 0, note: `${runs} runs; seeds ${seeds.join(', ')}` }
}
