import { connectionCases } from './cases/connection-cases.js'
import { processCases } from './cases/process-cases.js'
import { shutdownCases } from './cases/shutdown-cases.js'
import type { FaultCase } from './fault-case.js'

/** All cases, in the order in which they run. */
export const allCases: readonly FaultCase[] = [...connectionCases, ...processCases, ...shutdownCases]
