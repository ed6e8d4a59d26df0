import type { DraftRecord } from './draft-record.js'
import { createEventId, eventIdOfKey } from './event-id.js'
import { longestText, ownText } from './own-text.js'
import { formatPicoUsd, toPicoUsd } from './pico-usd.js'
import { isTokenCount } from './token-count.js'
import type { CallStatus, CostSource, UsageRecord, UsageSource } from './usage-record.js'

const maxInteger = 2_147_483_647
// Six texts together are the key of the daily sums, and an entry of an index in PostgreSQL has 2704 bytes at most.
const bytesPerCharacter = 1.5
const earliest = Date.UTC(2000, 0, 1)
const latest = Date.UTC(2200, 0, 1)
const statuses: ReadonlySet<unknown> = new Set<CallStatus>(['ok', 'error', 'aborted'])
const costSources: ReadonlySet<unknown> = new Set<CostSource>(['provider', 'list', 'override', 'entry'])
const usageSources: ReadonlySet<unknown> = new Set<UsageSource>([
  'provider',
  'provider_partial',
  'estimated',
  'fixed',
  'unknown',
  'entry',
  'imported',
])

type Invalid = Record<string, number | string>

/**
 * Makes the row of a draft. Total: no draft makes it throw, and no row it makes is refused by the table. What is not
 * usable becomes unknown, and its number (never a text) is kept in `rawUsage.invalid`.
 */
export function toUsageRecord(draft: DraftRecord): UsageRecord {
  const invalid: Invalid = {}
  const count = (field: keyof DraftRecord) => wholeNumber(draft[field], field, invalid)
  const inputTokens = count('inputTokens')
  const outputTokens = count('outputTokens')
  const usageSource = oneOf<UsageSource>(draft.usageSource, usageSources, 'entry')
  const cost = costOf(draft, invalid)
  return {
    eventId: draft.idempotencyKey === null ? createEventId() : eventIdOfKey(draft.idempotencyKey),
    timestamp: timeOf(draft, invalid),
    userEmail: textOf(draft.userEmail, longestText) ?? 'anonymous',
    modelName: textOf(draft.modelName, 256) ?? 'unknown',
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    requestType: textOf(draft.requestType, 256) ?? 'chat',
    sessionId: textOf(draft.sessionId, 256),
    costEstimate: cost,
    inputCost: null,
    outputCost: null,
    otherCost: null,
    costSource: cost === null ? null : oneOf<CostSource>(draft.costSource, costSources, 'entry'),
    provider: textOf(draft.provider, 256),
    operation: textOf(draft.operation, 256),
    operationId: textOf(draft.operationId, 256),
    project: textOf(draft.project, 256),
    cacheReadTokens: count('cacheReadTokens'),
    cacheWriteTokens: count('cacheWriteTokens'),
    reasoningTokens: count('reasoningTokens'),
    status: oneOf<CallStatus>(draft.status, statuses, 'ok'),
    usageSource: sourceOf(inputTokens, outputTokens, usageSource),
    responseId: textOf(draft.responseId, 256),
    durationMs: milliseconds(draft.durationMs),
    timeToFirstChunkMs: milliseconds(draft.timeToFirstChunkMs),
    metadata: draft.metadata,
    rawUsage: withInvalid(draft.rawUsage, invalid),
  }
}

// A broken-off answer may have told one count and not the other; anything else with a count missing is unknown.
function sourceOf(inputTokens: number | null, outputTokens: number | null, source: UsageSource): UsageSource {
  if (inputTokens !== null && outputTokens !== null) return source
  return source === 'provider_partial' && inputTokens !== outputTokens ? source : 'unknown'
}

function wholeNumber(value: unknown, field: string, invalid: Invalid): number | null {
  if (value === undefined || value === null) return null
  if (isTokenCount(value)) return value || 0
  invalid[field] = String(value)
  return null
}

function milliseconds(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 && value <= maxInteger ? Math.round(value) || 0 : null
}

function costOf(draft: DraftRecord, invalid: Invalid): string | null {
  if (draft.costEstimate === undefined || draft.costEstimate === null) return null
  const pico = toPicoUsd(draft.costEstimate)
  if (pico !== null) return formatPicoUsd(pico)
  invalid.costEstimate = typeof draft.costEstimate === 'number' ? String(draft.costEstimate) : typeof draft.costEstimate
  return null
}

function timeOf(draft: DraftRecord, invalid: Invalid): number {
  if (draft.timestamp === undefined || draft.timestamp === null) return draft.loggedAt
  const value = draft.timestamp
  const time = typeof value === 'string' ? Date.parse(value) : Number(value)
  if (time >= earliest && time < latest) return Math.floor(time)
  invalid.timestamp = typeof value === 'number' ? String(value) : typeof value
  return draft.loggedAt
}

function textOf(value: unknown, maxLength: number): string | null {
  if (value === undefined || value === null) return null
  return ownText(cleanText(value as string, maxLength)) || null
}

// PostgreSQL refuses NUL in any text, and would silently change half of a surrogate pair.
function cleanText(value: string | number | boolean | bigint, maxLength: number): string {
  const text = typeof value === 'string' ? value : String(value)
  const cut = text.length > maxLength ? text.slice(0, maxLength) : text
  const whole = cut.isWellFormed() ? cut : cut.toWellFormed()
  // replaceAll() would make a tree of pieces that takes many times the memory of the text.
  const clean = whole.includes('\0') ? whole.split('\0').join('\ufffd') : whole
  const maxBytes = maxLength * bytesPerCharacter
  return clean.length * 3 <= maxBytes || Buffer.byteLength(clean) <= maxBytes ? clean : startOf(clean, maxBytes)
}

function startOf(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text)
  let end = maxBytes
  while (isInsideCharacter(bytes[end])) end -= 1
  return bytes.toString('utf8', 0, end)
}

function isInsideCharacter(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0b1100_0000) === 0b1000_0000
}

function oneOf<T>(value: unknown, allowed: ReadonlySet<unknown>, fallback: T): T {
  return allowed.has(value) ? (value as T) : fallback
}

function withInvalid(rawUsage: string | null, invalid: Invalid): string | null {
  if (Object.keys(invalid).length === 0) return rawUsage
  return JSON.stringify({ ...(rawUsage === null ? {} : JSON.parse(rawUsage)), invalid })
}
