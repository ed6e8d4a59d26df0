import type { Answers } from './api.js'
import type { Dimension, PageState } from './page-state.js'

/** What every part of the page is given. */
export type PagePart = {
  readonly state: PageState
  readonly change: (change: Partial<PageState>) => void
  /** Counts on when it is time to ask again. */
  readonly round: number
  readonly addFilter: (name: Dimension, value: string) => void
  readonly isAdmin: boolean
  /** The range as the server has understood it; undefined until it has said so. */
  readonly range: Answers['totals']['range'] | undefined
}
