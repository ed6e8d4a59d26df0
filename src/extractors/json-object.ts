export type JsonObject = Readonly<Record<string, unknown>>

/** Guards an object that is not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A list, empty where the value is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** A text that is not empty, or null. */
export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** The texts among these values, one after the other. */
export function joinTexts(values: readonly unknown[]): string {
  return values.filter((value) => typeof value === 'string').join('')
}

/** A value as JSON text, '' where it is missing or cannot be one. */
export function jsonTextOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}

/** A token count, or null: what is missing, negative or no whole number is unknown. */
export function countOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

/** The sum of token counts, or null where one of them is unknown. */
export function sumOfCounts(values: readonly unknown[]): number | null {
  const counts = values.map(countOf)
  return counts.every((count) => count !== null) ? countOf(counts.reduce((total, count) => total + count, 0)) : null
}
