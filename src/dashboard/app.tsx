import { useEffect, useState } from 'preact/hooks'
import { api, askNow, isSignInWanted } from './api.js'
import { CallList } from './call-list.js'
import { Cards } from './cards.js'
import { CostReport } from './cost-report.js'
import { FilterBar } from './filter-bar.js'
import { GapNotice } from './gap-notice.js'
import { NoCallsYet } from './no-calls-yet.js'
import {
  type Dimension,
  describeState,
  type PageState,
  readPageState,
  toQuery,
  withoutUser,
  writePageState,
} from './page-state.js'
import { Problem } from './problem.js'
import { ProviderComparison } from './provider-comparison.js'
import { RecommendationList } from './recommendation-list.js'
import { SignIn } from './sign-in.js'
import { TokenReport } from './token-report.js'
import { useQuery } from './use-query.js'

const refreshMs = 30_000

/** The page: who looks at it is asked first. */
export function App() {
  const { data: viewer, ...asked } = useQuery('viewer', 0, (signal) => askNow(() => api.viewer.query(), signal))
  if (isSignInWanted(asked.error)) return <SignIn onSignedIn={asked.retry} />
  if (viewer) return <Usage isAdmin={viewer.role === 'admin'} onSignedOut={asked.retry} />
  return (
    <main class="state" aria-busy={asked.isLoading}>
      <Problem {...asked} />
    </main>
  )
}

function Usage({ isAdmin, onSignedOut }: { readonly isAdmin: boolean; readonly onSignedOut: () => void }) {
  const [told, setState] = usePageState()
  const state = isAdmin ? told : withoutUser(told)
  const round = useRounds(refreshMs)
  const query = toQuery(state)
  const key = JSON.stringify(query)
  const { data: totals, ...asked } = useQuery(key, round, (signal) => askNow(() => api.totals.query(query), signal, 2))
  const isSessionOver = isSignInWanted(asked.error)
  useEffect(() => {
    if (isSessionOver) onSignedOut()
  }, [isSessionOver])
  const change = (part: Partial<PageState>) => setState({ ...state, ...part })
  const addFilter = (name: Dimension, value: string) => change({ filters: { ...state.filters, [name]: value } })
  const shown = { state, change, round, addFilter, isAdmin, range: totals?.range }
  return (
    <>
      <header>
        <h1>{isAdmin ? 'Usage' : 'Your usage'}</h1>
        <p class="range">{describeState(state, totals?.range)}</p>
        <FilterBar state={state} change={change} canChooseUser={isAdmin} timeZone={totals?.range.timeZone} />
      </header>
      <main>
        {isAdmin && <GapNotice {...shown} />}
        <Problem {...asked} />
        {totals?.totals.requests === 0 ? (
          <NoCallsYet state={state} />
        ) : (
          <>
            {(totals || asked.error === undefined) && <Cards {...shown} totals={totals} isLoading={asked.isLoading} />}
            <CostReport {...shown} />
            <RecommendationList {...shown} />
            <TokenReport {...shown} />
            <ProviderComparison {...shown} />
            <CallList {...shown} />
          </>
        )}
      </main>
    </>
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
