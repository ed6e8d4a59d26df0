/** The part of pino's interface that tokenledger writes its own messages to; `console` fits as well. */
export interface DiagnosticLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/**
 * The same logger, whose own failures go no further: a broken one must not break the application. Among the lines of
 * others `prefix` says whose these are.
 */
export function createSafeDiagnostics(logger: DiagnosticLogger, prefix = ''): DiagnosticLogger {
  const ignore = () => {}
  const safely = (level: keyof DiagnosticLogger) => (fields: object, message: string) => {
    try {
      const result: unknown = logger[level](fields, prefix + message)
      if (result instanceof Promise) result.catch(ignore)
    } catch {
      // Nothing is left to say it to.
    }
  }
  return { info: safely('info'), warn: safely('warn'), error: safely('error') }
}

/** Answers true at the first question about a topic and then at most once a minute. */
export function createLineLimiter(intervalMs = 60_000): (topic: string) => boolean {
  const lastAt = new Map<string, number>()
  return (topic) => {
    const now = performance.now()
    const last = lastAt.get(topic)
    if (last !== undefined && now - last < intervalMs) return false
    lastAt.set(topic, now)
    return true
  }
}
