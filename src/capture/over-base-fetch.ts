type Fetch = typeof fetch

/**
 * What `wrap` makes of the fetch that is given, or else of the global one as it is at each call. An application may put
 * the result in the global one's place: then it goes on to the one of before, and not to itself for ever.
 */
export function overBaseFetch(given: Fetch | undefined, wrap: (inner: Fetch) => Fetch): Fetch {
  if (given) return wrap(given)
  const before = globalThis.fetch
  const wrapped = wrap((input, init) => (globalThis.fetch === wrapped ? before : globalThis.fetch)(input, init))
  return wrapped
}
