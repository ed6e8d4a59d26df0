import type { DiagnosticLogger } from './diagnostics.js'

/** What became of the rows that were not written at the end. */
export type LeftOver = { readonly spooled: number; readonly lost: number }

/** Says how many rows the store did not take before the end, in a line for each fate; nothing where it took all. */
export function reportLeftOver({ spooled, lost }: LeftOver, storeName: string, diagnostics: DiagnosticLogger): void {
  const before = (rows: number) => `closed before ${storeName} took ${rows} usage rows`
  if (lost > 0) diagnostics.error({ lost }, `${before(lost)}: they are lost`)
  if (spooled > 0) diagnostics.warn({ spooled }, `${before(spooled)}: they wait in the spool for the next start`)
}
