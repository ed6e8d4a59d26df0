/** Base of every error of this library: `code` is stable and meant to be tested for, `message` says what to do next. */
export class TokenLedgerError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** A setting is missing or wrong; the message names the setting, its value and the next step. */
export class ConfigurationError extends TokenLedgerError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('TOKENLEDGER_CONFIGURATION', message, options)
  }
}

/** The database's schema could not be brought up to date; nothing of the failed run stays behind. */
export class MigrationError extends TokenLedgerError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('TOKENLEDGER_MIGRATION', message, options)
  }
}

/**
 * What a failed export means for the records in it:
 * - `passing`: the store may take them later, or may have taken them already; the same records are sent again.
 * - `configuration`: somebody has to change something first; the records are kept.
 * - `data`: at least one record of the batch is refused for what it holds.
 */
export type ExportErrorKind = 'passing' | 'configuration' | 'data'

/** The store did not take a batch. `reason` is the store's own code (an SQLSTATE or a Node error code), never row values. */
export class ExportError extends TokenLedgerError {
  readonly kind: ExportErrorKind
  readonly reason: string

  constructor(kind: ExportErrorKind, reason: string, message: string, options?: { cause?: unknown }) {
    super('TOKENLEDGER_EXPORT', message, options)
    this.kind = kind
    this.reason = reason
  }
}
