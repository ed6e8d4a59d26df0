import type { SeededRandom } from '../support/seeded-random.js'
import type { TestDatabase } from '../support/test-database.js'

/** One fault of the matrix: what is done, and what must hold. */
export type FaultCase = {
  /** As in the matrix: `C1`. */
  readonly id: string
  /** What is done, and what must hold, as a sentence. */
  readonly title: string
  /** Why the case cannot run on this machine; undefined where it can. Printed, and counted as skipped. */
  readonly missing?: () => string | undefined
  /** Runs the case. Throws where it fails. */
  readonly run: (context: FaultContext) => Promise<FaultResult>
  /** It mostly waits: `test:faults` runs it beside the others that do. */
  readonly mostlyWaits?: true
  /** Whether the case belongs to the short set of `npm test`. */
  readonly isShort?: true
}

/** What a case is given; it leaves nothing else behind. */
export type FaultContext = {
  /** `short` in `npm test` (seconds), `full` in `npm run test:faults`. */
  readonly scale: 'short' | 'full'
  readonly random: SeededRandom
  /** A migrated database of its own. */
  readonly database: TestDatabase
  /** A directory of its own, removed afterwards. */
  readonly temporaryDirectory: string
  /** Tells how far a long case has come. */
  readonly log: (line: string) => void
}

/** A line of the table at the end. */
export type FaultResult = {
  readonly announced: number
  readonly lost: number
  readonly twice: number
  /** How often it was done, and what else was measured. */
  readonly note: string
}
