import { useEffect, useState } from 'preact/hooks'

/** An answer that is asked for. While the next is on its way, the one before stays; so it does where asking again fails. */
export type QueryState<T> = {
  readonly data: T | undefined
  readonly error: unknown
  /** Whether what is asked for is still to come. What only comes anew is there all the while. */
  readonly isLoading: boolean
  readonly retry: () => void
}

/**
 * Asks again whenever `key` changes, `round` counts on, or somebody retries; `signal` aborts when nobody waits for the answer
 * any more. An answer that comes late is ignored.
 */
export function useQuery<T>(key: string, round: number, ask: (signal: AbortSignal) => Promise<T>): QueryState<T> {
  const [outcome, setOutcome] = useState<Outcome<T>>({ key, data: undefined, error: undefined })
  const [isAsking, setAsking] = useState(true)
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    const waiting = new AbortController()
    const settle = (next: (before: Outcome<T>) => Outcome<T>) => {
      if (waiting.signal.aborted) return
      setOutcome(next)
      setAsking(false)
    }
    setAsking(true)
    ask(waiting.signal).then(
      (data) => settle(() => ({ key, data, error: undefined })),
      (error) => settle((before) => ({ key, data: before.key === key ? before.data : undefined, error })),
    )
    return () => waiting.abort()
  }, [key, round, attempt])
  const { data, error } = outcome
  const isLoading = isAsking && (outcome.key !== key || data === undefined)
  return { data, error, isLoading, retry: () => setAttempt(attempt + 1) }
}

type Outcome<T> = Pick<QueryState<T>, 'data' | 'error'> & { readonly key: string }
