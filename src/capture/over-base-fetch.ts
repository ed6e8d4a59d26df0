import { AsyncLocalStorage } from 'node:async_hooks'

type Fetch = typeof fetch

/**
 * What `wrap` makes of the fetch that is given, or else of the global one as it is at each call. An application may put
 * the result in the global one's place, or a function that calls it at once or later: then it goes on to the one of
 * before, and not to itself for ever.
 */
export function overBaseFetch(given: Fetch | undefined, wrap: (inner: Fetch) => Fetch): Fetch {
  if (given) return wrap(given)
  const before = globalThis.fetch
  const inGlobal = new AsyncLocalStorage<true>()
  return wrap((input, init) =>
    inGlobal.getStore() ? before(input, init) : inGlobal.run(true, () => globalThis.fetch(input, init)),
  )
}
