import type { UsageLogger } from '../create-usage-logger.js'
import type { AnyExpressRequest, ExpressMiddleware } from '../middleware/express.js'
import type { DiagnosticLogger } from '../recording/diagnostics.js'
import { createDashboardRouter } from './dashboard-router.js'
import { toViewer, type Viewer } from './viewer.js'

export type UsageDashboardOptions = {
  /**
   * Who looks: an admin sees all usage, a user only their own, and nobody at all, undefined, is refused. Whoever gets there is
   * an admin by default, so mount it behind a check of yours.
   */
  readonly viewer?: ((request: AnyExpressRequest) => Viewer | undefined | Promise<Viewer | undefined>) | undefined
  /** Where failed reads are said: pino, `console`, anything of that shape. Nowhere by default. */
  readonly logger?: DiagnosticLogger | undefined
}

const silent: DiagnosticLogger = { info: () => {}, warn: () => {}, error: () => {} }

/**
 * The page and its API, to be mounted in an Express app: `app.use('/admin/usage', requireAdmin, usageDashboard(usage))`.
 * Throws a `ConfigurationError` where `usage` has no database to read from.
 */
export function usageDashboard(
  usage: UsageLogger,
  options: UsageDashboardOptions = {},
): ExpressMiddleware<AnyExpressRequest> {
  const { viewer = () => ({ role: 'admin' as const }), logger = silent } = options
  const router = createDashboardRouter({
    reports: usage.reports(),
    findViewer: async (request) => toViewer(await viewer(request)),
    logger,
  })
  return router as unknown as ExpressMiddleware<AnyExpressRequest>
}
