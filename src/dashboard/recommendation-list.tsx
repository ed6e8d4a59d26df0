import { api, askNow } from './api.js'
import { describeRecommendation } from './describe-recommendation.js'
import type { PagePart } from './page-part.js'
import { isOfWholeDays, toQuery } from './page-state.js'
import { olderFigures, Problem } from './problem.js'
import { useQuery } from './use-query.js'

/** What the data suggest, where the range is one of whole days. */
export function RecommendationList({ state, round }: PagePart) {
  const { status, ...query } = toQuery(state)
  const isOfDays = isOfWholeDays(state) && status === undefined
  const { data, ...asked } = useQuery(JSON.stringify([query, isOfDays]), round, async (signal) =>
    isOfDays ? askNow(() => api.recommendations.query(query), signal, -1) : undefined,
  )
  if (!isOfDays) return null
  const recommendations = data?.recommendations ?? []
  return (
    <section aria-label="Recommendations" class="advice" aria-busy={asked.isLoading}>
      <h2>Worth a look</h2>
      <Problem {...asked} old={data && olderFigures} />
      {data?.recommendations.length === 0 && <p class="waiting">Nothing stands out in these calls.</p>}
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
