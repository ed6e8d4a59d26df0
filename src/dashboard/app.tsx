import { useEffect, useRef, useState } from 'preact/hooks'
import { type Answers, api, askNow, isSignInWanted } from './api.js'
import { CallList } from './call-list.js'
import { Cards } from './cards.js'
import { CostReport } from './cost-report.js'
import { FilterBar } from './filter-bar.js'
import { formatTime } from './format.js'
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
import { SignOutButton } from './sign-out-button.js'
import { TokenReport } from './token-report.js'
import { useQuery } from './use-query.js'

const refreshMs = 30_000

/** The page: who looks at it is asked first, and again with the figures. */
export function App() {
  const [round, askAgain] = useRounds(refreshMs)
  const { data: who, ...asked } = useQuery('viewer', round, (signal) => askNow(findViewer, signal, 3))
  const wasKnown = useRef(false)
  if (who?.viewer) {
    wasKnown.current = true
    const key = JSON.stringify(who.viewer)
    return <Usage key={key} viewer={who.viewer} round={round} askAgain={askAgain} askWho={asked.retry} />
  }
  if (who) return <SignIn hasEnded={wasKnown.current} onSignedIn={asked.retry} />
  return (
    <main class="state" aria-busy={asked.isLoading}>
      <Problem {...asked} />
    </main>
  )
}

/** Who looks. That it is nobody is an answer as well: one that stays when the next fails. */
async function findViewer(): Promise<{ readonly viewer: Answers['viewer'] | undefined }> {
  try {
    return { viewer: await api.viewer.query() }
  } catch (error) {
    if (isSignInWanted(error)) return { viewer: undefined }
    throw error
  }
}

type UsageProps = {
  readonly viewer: Answers['viewer']
  readonly round: number
  readonly askAgain: () => void
  /** For when it may be somebody else, or nobody, who looks now. */
  readonly askWho: () => void
}

function Usage({ viewer, round, askAgain, askWho }: UsageProps) {
  const isAdmin = viewer.role === 'admin'
  const [told, setState] = usePageState()
  const state = isAdmin ? told : withoutUser(told)
  const query = toQuery(state)
  const { data: totals, ...asked } = useQuery(JSON.stringify(query), round, async (signal) => ({
    ...(await askNow(() => api.totals.query(query), signal, 2)),
    answeredAt: new Date().toISOString(),
  }))
  const isSessionOver = isSignInWanted(asked.error)
  useEffect(() => {
    if (isSessionOver) askWho()
  }, [isSessionOver])
  const change = (part: Partial<PageState>) => setState({ ...state, ...part })
  const addFilter = (name: Dimension, value: string) => change({ filters: { ...state.filters, [name]: value } })
  const shown = { state, change, round, addFilter, isAdmin, range: totals?.range }
  return (
    <>
      <header>
        <h1>{isAdmin ? 'Usage' : 'Your usage'}</h1>
        <p class="range">{totals || asked.error ? describeState(state, totals?.range) : '…'}</p>
        {viewer.hasSession && <SignOutButton onSignedOut={askWho} />}
        <FilterBar state={state} change={change} canChooseUser={isAdmin} timeZone={totals?.range.timeZone} />
      </header>
      <main>
        {isAdmin && <GapNotice {...shown} />}
        <Problem
          {...asked}
          retry={askAgain}
          old={totals && `What is shown is of ${formatTime(totals.answeredAt, undefined)}, until there is an answer.`}
        />
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

/** Counts on every `ms` while somebody looks, at once when they look again after that, and on demand. */
function useRounds(ms: number): [round: number, next: () => void] {
  const [round, setRound] = useState(0)
  const next = () => setRound((before) => before + 1)
  useEffect(() => {
    let isDue = false
    const count = () => {
      isDue = document.visibilityState !== 'visible'
      if (!isDue) next()
    }
    const catchUp = () => {
      if (isDue) count()
    }
    const timer = setInterval(count, ms)
    document.addEventListener('visibilitychange', catchUp)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', catchUp)
    }
  }, [ms])
  return [round, next]
}
