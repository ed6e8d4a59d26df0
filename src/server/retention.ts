import type { Pruned } from '../history/prune.js'
import type { DiagnosticLogger } from '../recording/diagnostics.js'

export type RetentionParts = {
  /** Prunes once; ends after its current chunk when the signal says so. */
  readonly prune: (signal: AbortSignal) => Promise<Pruned>
  readonly logger: DiagnosticLogger
}

const dayMs = 86_400_000

/**
 * Prunes now and once a day, until it is stopped; a failure is said in the log, and the next day tries again. Keeps no
 * process alive. `stop` resolves when the chunk that runs has ended.
 */
export function startRetention({ prune, logger }: RetentionParts): { stop(): Promise<void> } {
  const stopping = new AbortController()
  let running = Promise.resolve()
  const run = () => {
    running = running.then(() => runOnce({ prune, logger }, stopping.signal))
  }
  const timer = setInterval(run, dayMs).unref()
  run()
  return {
    stop: () => {
      clearInterval(timer)
      stopping.abort()
      return running
    },
  }
}

async function runOnce({ prune, logger }: RetentionParts, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  try {
    logger.info(await prune(signal), 'pruned what is older than TOKEN_LOG_RETENTION_DAYS')
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'TOKENLEDGER_BUSY') logger.info({}, 'another process is pruning; this one does not')
    else logger.error({ code }, 'old rows could not be pruned; it is tried again in a day')
  }
}
