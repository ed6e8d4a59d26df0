import { z } from 'zod'
import type { RecordIdentity } from '../postgres/stage-records.js'
import { draftRecord } from '../usage/draft-record.js'
import { eventIdOfKey } from '../usage/event-id.js'
import { toPicoUsd } from '../usage/pico-usd.js'
import { toUsageRecord } from '../usage/to-usage-record.js'
import { isTokenCount } from '../usage/token-count.js'
import type { UsageRecord } from '../usage/usage-record.js'
import { type ImportField, type ImportFields, requiredFields } from './import-line.js'

export type Imported = { readonly record: UsageRecord; readonly identity: RecordIdentity }

const longestUser = 320
const longestText = 256
const earliest = Date.UTC(2000, 0, 1)
const latest = Date.UTC(2200, 0, 1)
const isoTime = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i
// Of a 30th of February JavaScript makes a 2nd of March.
const isoDay = z.iso.date()
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * The row of an imported line, with `usage_source = 'imported'` (or `unknown` where the line says so) and the id that it
 * has each time it is imported; or, as a text, every reason why it is none. Nothing is guessed or cut, but for metadata of
 * more than 8 KB: what would not be stored as it stands is a reason.
 */
export function toImportedRecord(fields: ImportFields): Imported | string {
  const check = new FieldCheck(fields)
  const isUnknown = fields.usageSource === 'unknown'
  const entry = {
    ...check.texts([
      'userEmail',
      'modelName',
      'requestType',
      'sessionId',
      'provider',
      'operation',
      'operationId',
      'project',
      'responseId',
    ]),
    ...check.counts([
      'inputTokens',
      'outputTokens',
      'cacheReadTokens',
      'cacheWriteTokens',
      'reasoningTokens',
      'durationMs',
      'timeToFirstChunkMs',
    ]),
    timestamp: check.time(),
    costEstimate: check.cost(),
    costSource: check.oneOf('costSource', ['provider', 'list', 'override', 'entry']),
    status: check.oneOf('status', ['ok', 'error', 'aborted']),
    usageSource: isUnknown ? 'unknown' : 'imported',
    metadata: check.object('metadata'),
    idempotencyKey: check.key(),
  }
  const eventId = check.eventId()
  check.require(isUnknown ? ['timestamp', 'modelName'] : requiredFields)
  check.parts('inputTokens', ['cacheReadTokens', 'cacheWriteTokens'])
  check.parts('outputTokens', ['reasoningTokens'])
  if (check.problems.length > 0) return check.problems.join('; ')
  const record = toUsageRecord(draftRecord(entry, {}, 0))
  if (eventId !== undefined) return { record: { ...record, eventId }, identity: 'key' }
  if (entry.idempotencyKey !== undefined) return { record, identity: 'key' }
  const content = JSON.stringify({ ...record, eventId: '' })
  return { record: { ...record, eventId: eventIdOfKey(`tokenledger import ${content}`) }, identity: 'content' }
}

class FieldCheck {
  readonly problems: string[] = []
  readonly #fields: ImportFields

  constructor(fields: ImportFields) {
    this.#fields = fields
  }

  texts(names: readonly ImportField[]): Record<string, string | undefined> {
    return Object.fromEntries(names.map((name) => [name, this.#text(name)]))
  }

  counts(names: readonly ImportField[]): Record<string, number | undefined> {
    return Object.fromEntries(names.map((name) => [name, this.#count(name)]))
  }

  /** Milliseconds since 1970. */
  time(): number | undefined {
    const value = this.#value('timestamp')
    if (value === undefined) return undefined
    const [, day, time = '00:00', zone = 'Z'] = isoTime.exec(String(value).trim()) ?? []
    const offset = zone.length === 3 ? `${zone}:00` : zone.toUpperCase()
    const isMilliseconds = /^\d{12,13}$/.test(String(value))
    const at = isMilliseconds ? Number(value) : Date.parse(`${day}T${time}${offset}`)
    const isReal = isMilliseconds || isoDay.safeParse(day).success
    if (isReal && at >= earliest && at < latest) return Math.floor(at)
    return this.#refuse('timestamp', 'a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970, from 2000 on')
  }

  /** A decimal text, so that nothing of it is lost; a number as spreadsheets and Python write it (`1.5e-05`) is taken too. */
  cost(): string | number | undefined {
    const value = this.#value('costEstimate')
    if (value === undefined) return undefined
    const amount = typeof value === 'string' && /e/i.test(value) ? Number(value) : value
    if (toPicoUsd(amount) !== null) return amount as string | number
    return this.#refuse('costEstimate', 'an amount of US dollars from 0 to 9000000')
  }

  oneOf(name: ImportField, allowed: readonly string[]): string | undefined {
    const value = this.#value(name)
    if (value === undefined || allowed.includes(value as string)) return value as string | undefined
    return this.#refuse(name, `one of ${allowed.join(', ')}`)
  }

  object(name: ImportField): object | undefined {
    const value = this.#value(name)
    const parsed = typeof value === 'string' ? parseJson(value) : value
    if (value === undefined || (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))) {
      return parsed as object | undefined
    }
    return this.#refuse(name, 'a JSON object')
  }

  key(): string | undefined {
    const value = this.#value('idempotencyKey')
    if (value === undefined || typeof value === 'string' || typeof value === 'number') return value?.toString()
    return this.#refuse('idempotencyKey', 'a text')
  }

  eventId(): string | undefined {
    const value = this.#value('eventId')
    if (value === undefined || (typeof value === 'string' && uuid.test(value))) return value?.toLowerCase()
    return this.#refuse('eventId', 'a UUID')
  }

  require(names: readonly ImportField[]): void {
    for (const name of names) if (this.#value(name) === undefined) this.problems.push(`${name} is missing`)
  }

  /** Our totals are inclusive; a source whose are not has to be converted first. */
  parts(whole: ImportField, parts: readonly ImportField[]): void {
    const total = Number(this.#value(whole))
    const sum = parts.reduce((so, name) => so + Number(this.#value(name) ?? 0), 0)
    if (sum > 0 && sum > total)
      this.problems.push(`${parts.join(' and ')} come to ${sum}, more than the ${total} ${whole} that include them`)
  }

  #value(name: ImportField): unknown {
    const value = this.#fields[name]
    return value === null || (typeof value === 'string' && value.trim() === '') ? undefined : value
  }

  #text(name: ImportField): string | undefined {
    const value = this.#value(name)
    if (value === undefined) return undefined
    const limit = name === 'userEmail' ? longestUser : longestText
    const text = typeof value === 'string' || typeof value === 'number' ? String(value).trim() : undefined
    if (text !== undefined && text.length <= limit) return text
    return this.#refuse(name, `a text of at most ${limit} characters`)
  }

  #count(name: ImportField): number | undefined {
    const value = this.#value(name)
    if (value === undefined) return undefined
    const number = typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value
    if (isTokenCount(number)) return number
    return this.#refuse(name, 'a whole number from 0 to 2147483647')
  }

  #refuse(name: ImportField, expected: string): undefined {
    const text = String(JSON.stringify(this.#fields[name]))
    this.problems.push(`${name} is ${text.length > 60 ? `${text.slice(0, 60)}...` : text} and not ${expected}`)
    return undefined
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
