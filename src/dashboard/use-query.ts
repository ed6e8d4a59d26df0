import { useEffect, useState } from 'preact/hooks'

/** An answer that is asked for. While it is asked for again, the one before stays. */
export type QueryState<T> = {
  readonly data: T | undefined
  readonly error: unknown
  readonly isLoading: boolean
}

/** Asks again whenever `key` changes or `round` counts on. Answers that come late are ignored. */
export function useQuery<T>(key: string, round: number, ask: () => Promise<T>): QueryState<T> {
  const [state, setState] = useState<QueryState<T> & { readonly key: string }>({ key, ...nothing })
  useEffect(() => {
    let isCurrent = true
    const settle = (outcome: Partial<QueryState<T>>) => {
      if (isCurrent) setState({ key, ...nothing, ...outcome, isLoading: false })
    }
    setState((before) => ({ ...(before.key === key ? before : { key, ...nothing }), isLoading: true }))
    ask().then(
      (data) => settle({ data }),
      (error) => settle({ error }),
    )
    return () => {
      isCurrent = false
    }
  }, [key, round])
  return state
}

const nothing = { data: undefined, error: undefined, isLoading: true }
