/** Sees the bytes of a body on their way to the application. Its functions never throw. */
export interface BodyWatcher {
  /** The application's signal to break the call off. */
  readonly signal: AbortSignal | null
  /** The application asks for the next chunk. */
  ask(): void
  /** A chunk arrived; returns what of it the application gets. */
  pass(chunk: Uint8Array): Uint8Array
  /** The body ended; returns what was held back. */
  end(): Uint8Array
  /** The body broke. */
  fail(): void
  /** The application broke it off. */
  cancel(): void
}
