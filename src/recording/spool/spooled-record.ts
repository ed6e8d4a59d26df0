import { draftRecord } from '../../usage/draft-record.js'
import { eventIdOfKey } from '../../usage/event-id.js'
import { formatPicoUsd, toPicoUsd } from '../../usage/pico-usd.js'
import { toUsageRecord } from '../../usage/to-usage-record.js'
import type { UsageRecord } from '../../usage/usage-record.js'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The text of a frame that holds a record: its JSON without what is null. */
export function spoolRecord(record: UsageRecord): string {
  const present: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(record)) if (value !== null) present[field] = value
  return JSON.stringify(present)
}

/**
 * The record that a frame holds, brought within the bounds of the table again like anything that comes from outside;
 * undefined where it holds none. A record of ours comes back with the same id and time.
 */
export function restoreRecord(payload: Buffer): UsageRecord | undefined {
  const text = payload.toString()
  const fields = parseObject(text)
  if (fields === undefined) return undefined
  const entry = { ...fields, metadata: parseObject(fields.metadata), rawUsage: parseObject(fields.rawUsage) }
  const record = toUsageRecord(draftRecord({ ...entry, idempotencyKey: undefined }, {}, Date.now()))
  const { eventId } = fields
  const parts = restoreParts(fields, record.costEstimate)
  // The same bytes always get the same id, so that reading them twice stores one row.
  return {
    ...record,
    ...parts,
    eventId: typeof eventId === 'string' && uuid.test(eventId) ? eventId : eventIdOfKey(text),
  }
}

// Parts that do not make up the cost are none of it.
function restoreParts(fields: Record<string, unknown>, cost: string | null) {
  const parts = [fields.inputCost, fields.outputCost, fields.otherCost].map((part) =>
    typeof part === 'string' ? toPicoUsd(part) : null,
  )
  const [input, output, other] = parts
  const sum = parts.reduce((total, part) => (total === null || part === null ? null : total + part), 0n)
  if (input == null || output == null || other == null || cost === null || sum !== toPicoUsd(cost)) return undefined
  return { inputCost: formatPicoUsd(input), outputCost: formatPicoUsd(output), otherCost: formatPicoUsd(other) }
}

function parseObject(text: unknown): Record<string, unknown> | undefined {
  try {
    const value: unknown = typeof text === 'string' ? JSON.parse(text) : undefined
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
