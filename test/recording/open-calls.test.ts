import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { OpenCalls } from '../../src/recording/open-calls.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const timeoutMs = 600_000

function createCall(calls: OpenCalls, giveUp: () => void = () => {}) {
  const call = {
    unreadSince: undefined as number | undefined,
    givenUp: 0,
    giveUp() {
      call.givenUp += 1
      calls.delete(call)
      giveUp()
    },
  }
  calls.add(call)
  return call
}

it('gives a call up whose answer nobody has read for that long, and none that somebody waits for', () => {
  const calls = new OpenCalls(timeoutMs)
  const [unread, awaited, readOn] = [createCall(calls), createCall(calls), createCall(calls)]
  unread.unreadSince = performance.now()
  readOn.unreadSince = performance.now()

  vi.advanceTimersByTime(timeoutMs / 2)
  readOn.unreadSince = performance.now()
  vi.advanceTimersByTime(timeoutMs / 2 + 60_000)

  expect([unread, awaited, readOn].map(({ givenUp }) => givenUp)).toEqual([1, 0, 0])
  expect(calls.count).toBe(2)
})

it('has one timer for all calls, and none for no call', () => {
  const calls = new OpenCalls(timeoutMs)
  const open = Array.from({ length: 100 }, () => createCall(calls))

  const timers = vi.getTimerCount()
  for (const call of open) calls.delete(call)

  expect([timers, vi.getTimerCount()]).toEqual([1, 0])
})

it('gives all calls up at once when it is told to', () => {
  const calls = new OpenCalls(timeoutMs)
  const open = [createCall(calls), createCall(calls)]

  calls.giveUpAll()
  calls.giveUpAll()

  expect(open.map(({ givenUp }) => givenUp)).toEqual([1, 1])
})

it('waits no more for a call that was given up, even where that had no effect', () => {
  const calls = new OpenCalls(timeoutMs)
  calls.add({ unreadSince: undefined, giveUp: () => {} })

  calls.giveUpAll()

  expect([calls.count, vi.getTimerCount()]).toEqual([0, 0])
})

it('starts its timer outside of the request that makes the first call', async () => {
  vi.useRealTimers()
  const requests = new AsyncLocalStorage<string>()
  const calls = new OpenCalls(10)

  const seen = await new Promise((resolve) => {
    const call = requests.run('a request', () => createCall(calls, () => resolve(requests.getStore())))
    call.unreadSince = performance.now()
  })

  expect(seen).toBeUndefined()
})
