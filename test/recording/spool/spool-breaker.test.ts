import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SpoolBreaker } from '../../../src/recording/spool/spool-breaker.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

function setUp() {
  const lines: string[] = []
  const keepLine = (_fields: object, message: string) => lines.push(message)
  const breaker = new SpoolBreaker('/spool', { info: keepLine, warn: keepLine, error: keepLine })
  const fail = () => {
    throw Object.assign(new Error('/secret/path is full'), { code: 'ENOSPC' })
  }
  const take = (ms: number) => breaker.attempt(() => breaker.took(ms))
  return { breaker, lines, fail, take }
}

describe('the breaker', () => {
  it('keeps work away for 30 seconds after one that failed, and says so once, with the code only', () => {
    const { breaker, lines, fail, take } = setUp()

    const results = [breaker.attempt(fail), take(1)]
    vi.advanceTimersByTime(29_999)
    results.push(take(0))
    vi.advanceTimersByTime(1)
    results.push(breaker.attempt(fail))
    vi.advanceTimersByTime(30_000)
    results.push(take(1))

    expect(results).toEqual([false, false, false, false, true])
    expect(lines).toEqual([
      'the spool in /spool cannot be used: ENOSPC. Usage rows are kept in memory only; next try in 30 s',
      'the spool in /spool is written again',
    ])
  })

  it('keeps work away after the third that took longer than 50 ms, however many fast ones lay between', () => {
    const { take } = setUp()

    const results = [60, 1, 60, 1, 1, 50, 60, 1].map(take)

    expect(results).toEqual([true, true, true, true, true, true, true, false])
  })

  it('forgives what was slow half a minute ago', () => {
    const { take } = setUp()

    for (let time = 0; time < 10; time++) {
      expect(take(60)).toBe(true)
      vi.advanceTimersByTime(15_000)
    }
  })

  it('lets work through that cannot be done later', () => {
    const { breaker, fail } = setUp()
    breaker.attempt(fail)
    const work = vi.fn()

    const isDone = breaker.attemptAnyway(work)

    expect(isDone).toBe(true)
    expect(work).toHaveBeenCalledOnce()
  })
})
