import { clockCases } from './cases/clock-cases.js'
import { connectionCases } from './cases/connection-cases.js'
import { dataCases } from './cases/data-cases.js'
import { databaseCases } from './cases/database-cases.js'
import { latencyCases } from './cases/latency-cases.js'
import { modelCases } from './cases/model-cases.js'
import { oracleCases } from './cases/oracle-cases.js'
import { pgbouncerCases } from './cases/pgbouncer-cases.js'
import { processCases } from './cases/process-cases.js'
import { shutdownCases } from './cases/shutdown-cases.js'
import { soakCases } from './cases/soak-cases.js'
import { spoolCases } from './cases/spool-cases.js'
import type { FaultCase } from './fault-case.js'

/** All cases, in the order in which they run. */
export const allCases: readonly FaultCase[] = [
  ...connectionCases,
  ...databaseCases,
  ...pgbouncerCases,
  ...oracleCases,
  ...processCases,
  ...shutdownCases,
  ...spoolCases,
  ...dataCases,
  ...clockCases,
  ...modelCases,
  ...latencyCases,
  ...soakCases,
]
