const locale = 'en-US'
const wholeNumber = new Intl.NumberFormat(locale)
const oneDecimal = { minimumFractionDigits: 1, maximumFractionDigits: 1 }
const shortNumber = new Intl.NumberFormat(locale, { notation: 'compact', ...oneDecimal })
const percent = new Intl.NumberFormat(locale, { style: 'percent', ...oneDecimal })
const seconds = new Intl.NumberFormat(locale, oneDecimal)
const change = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0, signDisplay: 'exceptZero' })

const mostChange = 9

/** What stands where nobody knows a figure. */
export const unknownFigure = 'unknown'

/** `1,234,567`; `unknown` for null. */
export function formatCount(count: number | null): string {
  return count === null ? unknownFigure : wholeNumber.format(count)
}

/** `850`, `6.0M`; `unknown` for null. */
export function formatShortCount(count: number | null): string {
  if (count === null) return unknownFigure
  return (count < 1000 ? wholeNumber : shortNumber).format(count)
}

/**
 * Dollars with cents, and as many places as it takes to see three digits of an amount below one dollar: `$1,234.57`,
 * `$0.00012`. `unpriced` for null.
 */
export function formatUsd(amount: string | number | null): string {
  if (amount === null) return 'unpriced'
  const value = Number(amount)
  const size = Math.abs(value)
  const places = size >= 1 || size === 0 ? 2 : Math.min(12, 2 - Math.floor(Math.log10(size)))
  return new Intl.NumberFormat(locale, {
    style: 'currency',
    currency: 'USD',
    minimumFractionDigits: 2,
    maximumFractionDigits: places,
  }).format(value)
}

/** `12.3%`; `-` for null. */
export function formatShare(share: number | null): string {
  return share === null ? '-' : percent.format(share)
}

/** `+12%`; undefined for null. Against next to nothing everything is a lot: from ten times on it is `over +900%`. */
export function formatChange(share: number | null): string | undefined {
  if (share === null) return undefined
  return share > mostChange ? `over ${change.format(mostChange)}` : change.format(share)
}

/** `850 ms`, `12.0 s`; `-` for null. */
export function formatMs(ms: number | null): string {
  if (ms === null) return '-'
  return ms < 1000 ? `${Math.round(ms)} ms` : `${seconds.format(ms / 1000)} s`
}

/** A time in a zone: `2026-03-01 12:34:56`. The browser's own zone for undefined. */
export function formatTime(timestamp: string, timeZone: string | undefined): string {
  return new Date(timestamp).toLocaleString('sv-SE', { timeZone })
}

/** A period of a series: a day as it is, the hour that begins at an instant in a zone (`11-26 14:00`). */
export function formatPeriod(period: string, timeZone: string | undefined): string {
  return period.includes('T') ? formatTime(period, timeZone).slice(5, 16) : period
}

/** A group's name as people read it: those without one, and all beyond the limit together, have a name as well. */
export function formatGroup(group: string | null): string {
  if (group === null) return 'all others'
  return group === '' ? '(none)' : group
}
