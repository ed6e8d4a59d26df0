/** The part of pino's interface that tokenledger writes its own messages to; `console` fits as well. */
export interface DiagnosticLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
