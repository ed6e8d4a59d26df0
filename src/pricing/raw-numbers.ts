/** A provider's own numbers, as `raw_usage` keeps them. All of it is unchecked. */
export type RawUsage = { readonly [name: string]: unknown }

const nothing: RawUsage = Object.freeze({})

/** The object under a name; an empty one where there is none. */
export function objectIn(raw: RawUsage, ...names: readonly string[]): RawUsage {
  for (const name of names) {
    const value = raw[name]
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as RawUsage
  }
  return nothing
}

/** The objects in the list under a name. */
export function objectsIn(raw: RawUsage, name: string): readonly RawUsage[] {
  const value = raw[name]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null) : []
}

/** A whole number from 0 on; 0 for all else. */
export function countIn(raw: RawUsage, name: string): number {
  return findCount(raw, name) ?? 0
}

/** A whole number from 0 on, or null. */
export function findCount(raw: RawUsage, name: string): number | null {
  const value = raw[name]
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

/** A number above 0, whole or not; 0 for all else. */
export function amountIn(raw: RawUsage, name: string): number {
  const value = raw[name]
  return typeof value === 'number' && value > 0 && value < Number.MAX_SAFE_INTEGER ? value : 0
}

/** The numbers of a row's `raw_usage`; null where it has none. Never throws. */
export function parseRawUsage(text: string | null): RawUsage | null {
  if (text === null) return null
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as RawUsage) : null
  } catch {
    return null
  }
}
