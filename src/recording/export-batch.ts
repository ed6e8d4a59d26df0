import { ExportError } from '../errors.js'
import type { UsageRecord } from '../usage/usage-record.js'
import type { UsageExporter } from './exporter.js'

/** Told what became of the records of a batch, in their order. */
export interface BatchOutcome {
  written(count: number, durationMs: number): void
  deadLettered(refusal: ExportError): void
  /** Not even the dead letters took the record. */
  dropped(refusal: ExportError): void
  /** Asked between statements; true ends the work early, and what is left stays with the caller. */
  isStopped(): boolean
}

/**
 * Writes a batch. Where the store refuses its data it goes on by halves, in order, until each refused record stands alone
 * and is kept as a dead letter. Rejects with the first error that is not about data.
 */
export async function exportBatch(
  exporter: UsageExporter,
  batch: readonly UsageRecord[],
  outcome: BatchOutcome,
): Promise<void> {
  const parts: (readonly UsageRecord[])[] = [batch]
  for (let part = parts.pop(); part !== undefined && !outcome.isStopped(); part = parts.pop()) {
    const startedAt = performance.now()
    const refusal = await refusalOf(() => exporter.export(part))
    if (refusal === undefined) outcome.written(part.length, performance.now() - startedAt)
    else if (part.length > 1) parts.push(part.slice(part.length >> 1), part.slice(0, part.length >> 1))
    else await keepDeadLetter(exporter, part[0], { refusal, outcome })
  }
}

async function keepDeadLetter(
  exporter: UsageExporter,
  record: UsageRecord | undefined,
  { refusal, outcome }: { refusal: ExportError; outcome: BatchOutcome },
): Promise<void> {
  if (record === undefined) return
  const reason = { code: refusal.reason, message: refusal.message }
  const second = await refusalOf(() => exporter.exportDeadLetter(record, reason))
  if (second === undefined) outcome.deadLettered(refusal)
  else outcome.dropped(refusal)
}

/** The error where the store refuses the data; undefined where it took them. */
async function refusalOf(write: () => Promise<void>): Promise<ExportError | undefined> {
  try {
    await write()
    return undefined
  } catch (error) {
    if (error instanceof ExportError && error.kind === 'data') return error
    throw error
  }
}
