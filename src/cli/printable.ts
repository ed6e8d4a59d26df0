/** A text with what could control a terminal replaced: names come from callers, and a terminal is not to obey them. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?')
}
