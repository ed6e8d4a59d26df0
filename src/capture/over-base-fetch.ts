type Fetch = typeof fetch

/**
 * What `wrap` makes of the fetch that is given, or else of the global one as it is at each call. An application may put
 * the result in the global one's place, or a function that calls it: then it goes on to the one of before, and not to
 * itself for ever.
 */
export function overBaseFetch(given: Fetch | undefined, wrap: (inner: Fetch) => Fetch): Fetch {
  if (given) return wrap(given)
  const before = globalThis.fetch
  let isInGlobal = false
  return wrap((input, init) => {
    if (isInGlobal) return before(input, init)
    isInGlobal = true
    try {
      return globalThis.fetch(input, init)
    } finally {
      isInGlobal = false
    }
  })
}
