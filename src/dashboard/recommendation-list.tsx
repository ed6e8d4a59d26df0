import { api, askNow } from './api.js'
import { describeRecommendation } from './describe-recommendation.js'
import type { PagePart } from './page-part.js'
import { toQuery } from './page-state.js'
import { Problem } from './problem.js'
import { useQuery } from './use-query.js'

/** What the data suggest, where the range is one of whole days; nothing where they suggest nothing. */
export function RecommendationList({ state, round, range }: PagePart) {
  const { status, ...query } = toQuery(state)
  const isOfDays = range !== undefined && range.firstDay !== null && status === undefined
  const { data, ...asked } = useQuery(JSON.stringify([query, isOfDays]), round, async (signal) =>
    isOfDays ? askNow(() => api.recommendations.query(query), signal, -1) : undefined,
  )
  const recommendations = isOfDays ? (data?.recommendations ?? []) : []
  if (recommendations.length === 0 && asked.error === undefined) return null
  return (
    <section aria-label="Recommendations" aria-busy={asked.isLoading}>
      <h2>Worth a look</h2>
      <Problem {...asked} />
      <ul class="recommendations">
        {recommendations.map((recommendation) => {
          const { advice, figures } = describeRecommendation(recommendation)
          return (
            <li key={advice}>
              <strong>{advice}</strong>
              <p>{figures}</p>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
