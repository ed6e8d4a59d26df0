import { useEffect, useState } from 'preact/hooks'
import { api, explain, isSignInWanted } from './api.js'
import { CallList } from './call-list.js'
import { Cards } from './cards.js'
import { CostReport } from './cost-report.js'
import { ExportLinks } from './export-links.js'
import { FilterBar } from './filter-bar.js'
import { NoCallsYet } from './no-calls-yet.js'
import { type PageState, readPageState, toQuery, writePageState } from './page-state.js'
import { ProviderComparison } from './provider-comparison.js'
import { SignIn } from './sign-in.js'
import { TokenReport } from './token-report.js'
import { useQuery } from './use-query.js'

const refreshMs = 30_000

/** The page: who looks at it is asked first. */
export function App() {
  const [round, setRound] = useState(0)
  const { data: viewer, error } = useQuery('viewer', round, () => api.viewer.query())
  if (isSignInWanted(error)) return <SignIn onSignedIn={() => setRound(round + 1)} />
  if (error) return <Failure error={error} retry={() => setRound(round + 1)} />
  if (viewer === undefined) return <main class="state" aria-busy="true" />
  return <Usage isAdmin={viewer.role === 'admin'} />
}

function Usage({ isAdmin }: { readonly isAdmin: boolean }) {
  const [state, setState] = usePageState()
  const round = useRounds(refreshMs)
  const query = toQuery(state)
  const key = JSON.stringify(query)
  const { data: totals, error, isLoading } = useQuery(key, round, () => api.totals.query(query))
  const { data: latencies } = useQuery(key, round, () => api.latencies.query(query))
  const change = (part: Partial<PageState>) => setState({ ...state, ...part })
  const timeZone = totals?.range.timeZone
  const shownZone = state.zone === 'local' ? undefined : timeZone
  const addFilter = (name: PageState['by'], value: string) => change({ filters: { ...state.filters, [name]: value } })
  const p95Ms = latencies === undefined ? undefined : (latencies.groups[0]?.durationMs?.p95 ?? null)
  return (
    <>
      <header>
        <h1>{isAdmin ? 'Usage' : 'Your usage'}</h1>
        <FilterBar state={state} change={change} canChooseUser={isAdmin} timeZone={timeZone} />
      </header>
      <main aria-busy={isLoading}>
        {error ? <Failure error={error} retry={() => change({})} /> : null}
        {totals && totals.totals.requests === 0 && <NoCallsYet state={state} />}
        {totals && totals.totals.requests > 0 && (
          <>
            <Cards totals={totals} p95Ms={p95Ms} />
            <CostReport state={state} change={change} round={round} addFilter={addFilter} isAdmin={isAdmin} />
            <TokenReport state={state} round={round} />
            <ProviderComparison state={state} round={round} addFilter={addFilter} />
            <CallList state={state} timeZone={shownZone} round={round} />
          </>
        )}
      </main>
      <footer>
        <ExportLinks state={state} />
      </footer>
    </>
  )
}

function Failure({ error, retry }: { readonly error: unknown; readonly retry: () => void }) {
  return (
    <div class="state" role="alert">
      <p>{explain(error)}</p>
      <button type="button" onClick={retry}>
        Try again
      </button>
    </div>
  )
}

/** The state that the address tells; a change of it is a step that the browser's back button takes back. */
function usePageState(): [PageState, (state: PageState) => void] {
  const [state, setState] = useState(() => readPageState(location.search))
  useEffect(() => {
    const follow = () => setState(readPageState(location.search))
    addEventListener('popstate', follow)
    return () => removeEventListener('popstate', follow)
  }, [])
  const change = (next: PageState) => {
    history.pushState(null, '', location.pathname + writePageState(next))
    setState(next)
  }
  return [state, change]
}

/** Counts on every `ms` while somebody looks. */
function useRounds(ms: number): number {
  const [round, setRound] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') setRound((before) => before + 1)
    }, ms)
    return () => clearInterval(timer)
  }, [ms])
  return round
}
