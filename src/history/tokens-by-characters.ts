/**
 * Tokens of a text by its length alone: `floor(characters / 4 * 1.1)` in whole numbers, at least 10 for any text, and 0 for
 * none. A character is a code point of Unicode, as `char_length` of PostgreSQL counts them: an emoji is one.
 */
export function tokensByCharacters(characters: number): number {
  return characters === 0 ? 0 : Math.max(10, Math.floor((characters * 11) / 40))
}
