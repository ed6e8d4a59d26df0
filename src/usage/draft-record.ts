import { createHash } from 'node:crypto'
import { toJsonText } from './json-text.js'
import { boundedText, longestText, ownText } from './own-text.js'

/**
 * What one call left behind at the moment it was logged: a copy of primitives only, bounded in size, not yet checked.
 * Making one is all that happens on the request path; `toUsageRecord` makes a row of it later.
 */
export type DraftRecord = {
  readonly loggedAt: number
  readonly timestamp: Primitive
  readonly userEmail: Primitive
  readonly sessionId: Primitive
  readonly modelName: Primitive
  readonly inputTokens: Count
  readonly outputTokens: Count
  readonly requestType: Primitive
  readonly provider: Primitive
  readonly operation: Primitive
  readonly operationId: Primitive
  readonly project: Primitive
  readonly cacheReadTokens: Count
  readonly cacheWriteTokens: Count
  readonly reasoningTokens: Count
  readonly costEstimate: Primitive
  readonly costSource: Primitive
  readonly status: Primitive
  readonly usageSource: Primitive
  readonly durationMs: Count
  readonly timeToFirstChunkMs: Count
  readonly responseId: Primitive
  readonly idempotencyKey: string | null
  /** JSON text. */
  readonly metadata: string | null
  readonly rawUsage: string | null
}

/** Who made a call, as the request context knows it. */
export type CallerIdentity = {
  readonly user?: string | undefined
  readonly session?: string | undefined
  readonly operation?: string | undefined
  readonly project?: string | undefined
}

type Primitive = string | number | boolean | bigint | null | undefined
/** Of what is no number the name of its type. */
type Count = number | string | null | undefined
type EntryFields = { readonly [field: string]: unknown }

const bytesOfEmptyRecord = 800
const bytesOfEmptyText = 64
const bytesOfOddCount = 96

/** Copies what is needed of an entry; its caller may change it afterwards. Throws only where a getter of the entry throws. */
export function draftRecord(entry: object, identity: CallerIdentity, loggedAt: number): DraftRecord {
  const fields = entry as EntryFields
  return {
    loggedAt,
    timestamp: primitive(fields.timestamp),
    userEmail: primitive(fields.userEmail) || identity.user,
    sessionId: primitive(fields.sessionId) || identity.session,
    modelName: primitive(fields.modelName),
    inputTokens: count(fields.inputTokens),
    outputTokens: count(fields.outputTokens),
    requestType: primitive(fields.requestType),
    provider: primitive(fields.provider),
    operation: primitive(fields.operation) || identity.operation,
    operationId: primitive(fields.operationId),
    project: primitive(fields.project) || identity.project,
    cacheReadTokens: count(fields.cacheReadTokens),
    cacheWriteTokens: count(fields.cacheWriteTokens),
    reasoningTokens: count(fields.reasoningTokens),
    costEstimate: primitive(fields.costEstimate),
    costSource: primitive(fields.costSource),
    status: primitive(fields.status),
    usageSource: primitive(fields.usageSource),
    durationMs: count(fields.durationMs),
    timeToFirstChunkMs: count(fields.timeToFirstChunkMs),
    responseId: primitive(fields.responseId),
    idempotencyKey: keyText(fields.idempotencyKey),
    metadata: fields.metadata == null ? null : toJsonText(fields.metadata),
    rawUsage: fields.rawUsage == null ? null : toJsonText(fields.rawUsage),
  }
}

/** The same draft with texts of its own, for one that may stay long: see `ownText`. */
export function withOwnTexts(draft: DraftRecord): DraftRecord {
  const { metadata, rawUsage, ...fields } = draft
  const copy: { [field: string]: unknown } = { ...draft }
  for (const [field, value] of Object.entries(fields)) if (typeof value === 'string') copy[field] = ownText(value)
  return copy as DraftRecord
}

/** What a draft and the row made of it take in memory at most, measured with Node 20. */
export function bytesOf(draft: DraftRecord): number {
  return (
    bytesOfEmptyRecord +
    bytesOfText(draft.timestamp) +
    bytesOfText(draft.userEmail) +
    bytesOfText(draft.sessionId) +
    bytesOfText(draft.modelName) +
    bytesOfText(draft.requestType) +
    bytesOfText(draft.provider) +
    bytesOfText(draft.operation) +
    bytesOfText(draft.operationId) +
    bytesOfText(draft.project) +
    bytesOfText(draft.costEstimate) +
    bytesOfText(draft.costSource) +
    bytesOfText(draft.status) +
    bytesOfText(draft.usageSource) +
    bytesOfText(draft.responseId) +
    bytesOfText(draft.idempotencyKey) +
    bytesOfText(draft.rawUsage) +
    (draft.metadata === null ? 0 : bytesOfEmptyText + 2 * draft.metadata.length) +
    bytesOfCount(draft.inputTokens) +
    bytesOfCount(draft.outputTokens) +
    bytesOfCount(draft.cacheReadTokens) +
    bytesOfCount(draft.cacheWriteTokens) +
    bytesOfCount(draft.reasoningTokens)
  )
}

function primitive(value: unknown): Primitive {
  if (typeof value === 'string') return boundedText(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return value
  // To write down a number of a million digits takes seconds.
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? value : undefined
  return value instanceof Date ? Date.prototype.getTime.call(value) : undefined
}

function count(value: unknown): Count {
  return typeof value === 'number' || value == null ? value : typeof value
}

// A long key is hashed and not cut, since two keys may differ in their last character only.
function keyText(value: unknown): string | null {
  const key = typeof value === 'string' ? value : primitive(value)
  if (key === undefined || key === null || key === '' || typeof key === 'boolean') return null
  const text = String(key).toWellFormed()
  return text.length <= longestText ? text : createHash('sha256').update(text).digest('hex')
}

// Two bytes a character, and the same again for the row, which has a text of its own where this one needs cleaning.
function bytesOfText(value: Primitive): number {
  return typeof value === 'string' ? bytesOfEmptyText + 4 * value.length : 0
}

// What is not a small number is an object in memory, and is kept in the row by its name if it is no count.
function bytesOfCount(value: Count): number {
  return value == null || (typeof value === 'number' && (value | 0) === value && value >= 0) ? 0 : bytesOfOddCount
}
