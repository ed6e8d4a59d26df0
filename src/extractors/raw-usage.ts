import { isJsonObject, type JsonObject } from './json-object.js'

const maxDepth = 4
const maxEntries = 64
const namePattern = /^[\w.-]{1,64}$/
const textPattern = /^[\w.:/-]{1,64}$/
/** The only texts that are kept: they choose the price, or tell which part a number is of. */
const textNames = new Set([
  'service_tier',
  'serviceTier',
  'trafficType',
  'speed',
  'inference_geo',
  'search_context_size',
  'currency',
  'modality',
  'ttl',
  'type',
  'model',
])

/**
 * A bounded copy of a provider's usage object: its numbers and switches, and the few short names that change a price.
 * Null where none of that is there. Nothing of a call's content passes, wherever a provider may put it.
 */
export function copyRawUsage(usage: unknown): JsonObject | null {
  const copy = isJsonObject(usage) ? copyObject(usage, maxDepth) : {}
  return Object.keys(copy).length > 0 ? copy : null
}

function copyObject(source: JsonObject, depth: number): JsonObject {
  const entries: [string, unknown][] = []
  for (const name of Object.keys(source).slice(0, maxEntries)) {
    const value = namePattern.test(name) ? copyValue(name, source[name], depth) : undefined
    if (value !== undefined) entries.push([name, value])
  }
  return Object.fromEntries(entries)
}

function copyValue(name: string, value: unknown, depth: number): unknown {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value === 'string') return textNames.has(name) && textPattern.test(value) ? value : undefined
  if (depth === 1) return undefined
  if (Array.isArray(value)) return copyArray(name, value, depth - 1)
  return isJsonObject(value) ? copyObject(value, depth - 1) : undefined
}

function copyArray(name: string, values: readonly unknown[], depth: number): unknown[] {
  return values
    .slice(0, maxEntries)
    .map((value) => copyValue(name, value, depth))
    .filter((value) => value !== undefined)
}
