import { initialState, type PageState } from './page-state.js'

const firstLines = `const usage = createUsageLogger()
app.use(usage.express({ user: (req) => req.user?.email }))
const openai = usage.track(new OpenAI())`

/** What to do when there is nothing to show. */
export function NoCallsYet({ state }: { readonly state: PageState }) {
  const isNarrowed =
    Object.keys(state.filters).length > 0 || state.since !== initialState.since || state.until !== undefined
  if (isNarrowed) return <p class="state">No call in this range with these filters.</p>
  return (
    <div class="state">
      <h2>No call seen yet</h2>
      <p>These lines in your app record every call; the page shows it some seconds later.</p>
      <pre>
        <code>{firstLines}</code>
      </pre>
    </div>
  )
}
