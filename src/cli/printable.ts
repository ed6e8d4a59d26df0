/** The text with nothing that a terminal would obey: names come from callers. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?')
}
