import { createHash } from 'node:crypto'
import { toJsonText } from './json-text.js'

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
  readonly inputTokens: Primitive
  readonly outputTokens: Primitive
  readonly requestType: Primitive
  readonly provider: Primitive
  readonly operation: Primitive
  readonly operationId: Primitive
  readonly project: Primitive
  readonly cacheReadTokens: Primitive
  readonly cacheWriteTokens: Primitive
  readonly reasoningTokens: Primitive
  readonly costEstimate: Primitive
  readonly costSource: Primitive
  readonly status: Primitive
  readonly usageSource: Primitive
  readonly durationMs: Primitive
  readonly timeToFirstChunkMs: Primitive
  readonly responseId: Primitive
  readonly idempotencyKey: string | null
  /** JSON text. */
  readonly metadata: string | null
  readonly rawUsage: string | null
  /** An estimate of what the draft and the row made of it take in memory. */
  readonly bytes: number
}

/** Who made a call, as the request context knows it. */
export type CallerIdentity = {
  readonly user?: string
  readonly session?: string
  readonly operation?: string
  readonly project?: string
}

type Primitive = string | number | boolean | bigint | null | undefined
type EntryFields = { readonly [field: string]: unknown }

const longestText = 1024
const bytesOfEmptyRecord = 1200

/** Copies what is needed of an entry; its caller may change it afterwards. Throws only where a getter of the entry throws. */
export function draftRecord(entry: object, identity: CallerIdentity, loggedAt: number): DraftRecord {
  const fields = entry as EntryFields
  const userEmail = bounded(fields.userEmail) || identity.user
  const sessionId = bounded(fields.sessionId) || identity.session
  const modelName = bounded(fields.modelName)
  const operation = bounded(fields.operation) || identity.operation
  const operationId = bounded(fields.operationId)
  const responseId = bounded(fields.responseId)
  const metadata = fields.metadata == null ? null : toJsonText(fields.metadata)
  const rawUsage = fields.rawUsage == null ? null : toJsonText(fields.rawUsage)
  return {
    loggedAt,
    timestamp: bounded(fields.timestamp),
    userEmail,
    sessionId,
    modelName,
    inputTokens: bounded(fields.inputTokens),
    outputTokens: bounded(fields.outputTokens),
    requestType: bounded(fields.requestType),
    provider: bounded(fields.provider),
    operation,
    operationId,
    project: bounded(fields.project) || identity.project,
    cacheReadTokens: bounded(fields.cacheReadTokens),
    cacheWriteTokens: bounded(fields.cacheWriteTokens),
    reasoningTokens: bounded(fields.reasoningTokens),
    costEstimate: bounded(fields.costEstimate),
    costSource: bounded(fields.costSource),
    status: bounded(fields.status),
    usageSource: bounded(fields.usageSource),
    durationMs: bounded(fields.durationMs),
    timeToFirstChunkMs: bounded(fields.timeToFirstChunkMs),
    responseId,
    idempotencyKey: fields.idempotencyKey == null ? null : keyText(fields.idempotencyKey),
    metadata,
    rawUsage,
    bytes:
      bytesOfEmptyRecord +
      4 *
        (lengthOf(userEmail) +
          lengthOf(sessionId) +
          lengthOf(modelName) +
          lengthOf(operation) +
          lengthOf(operationId) +
          lengthOf(responseId) +
          lengthOf(metadata) +
          lengthOf(rawUsage)),
  }
}

function bounded(value: unknown): Primitive {
  if (typeof value === 'string') return value.length <= longestText ? value : detachedStart(value)
  if (typeof value === 'object') return value instanceof Date ? value.getTime() : undefined
  return typeof value === 'function' || typeof value === 'symbol' ? undefined : (value as Primitive)
}

// A slice alone would keep the whole string in memory.
function detachedStart(value: string): string {
  return Buffer.from(value.slice(0, longestText), 'utf16le').toString('utf16le')
}

// A long key is hashed and not cut, since two keys may differ in their last character only.
function keyText(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return null
  const text = String(value).toWellFormed()
  return text.length <= longestText ? text || null : createHash('sha256').update(text).digest('hex')
}

function lengthOf(value: Primitive): number {
  return typeof value === 'string' ? value.length : 0
}
