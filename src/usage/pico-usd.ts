/** The highest amount: $9,000,000. */
export const highestPicoUsd = 9_000_000_000_000_000_000n

const decimal = /^(\d{1,7})(?:\.(\d{1,400}))?$/

/**
 * An amount of US dollars in exact trillionths, rounded half up from a number or a decimal string; null for anything that
 * is not an amount from 0 to 9,000,000.
 */
export function toPicoUsd(value: unknown): bigint | null {
  const text = typeof value === 'number' && value >= 0 && value < 1e7 ? value.toFixed(12) : value
  const match = typeof text === 'string' ? decimal.exec(text) : null
  if (!match) return null
  const fraction = (match[2] ?? '').padEnd(13, '0')
  const pico = BigInt(match[1] + fraction.slice(0, 12)) + (fraction.charAt(12) >= '5' ? 1n : 0n)
  return pico <= highestPicoUsd ? pico : null
}

/** The decimal text of an amount in trillionths of a US dollar, without trailing zeros: `0.00000012`. */
export function formatPicoUsd(pico: bigint): string {
  const digits = pico.toString().padStart(13, '0')
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`.replace(/\.?0+$/, '')
}
