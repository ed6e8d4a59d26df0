// Blanks, quotes and invisible characters before it do not keep every spreadsheet from finding a formula.
const formula = /^[\s\0\p{Cf}"]*[=+\-@＝＋－＠]|^[\t\r\n\0]/u
// Where commas are decimal, cells end at a semicolon or a tab, even within quotes that began in the middle of one. Looking
// back from a sign, instead of for one from each blank, takes time by the length of the text and not by its square.
const laterFormula = /[=+\-@＝＋－＠](?<=[;\t\r\n][\s\0\p{Cf}"]*.)/gu

/** The text as a CSV cell may hold it: with an apostrophe before what a spreadsheet would take for a formula. */
export function toSpreadsheetText(text: string): string {
  const guarded = text.replace(laterFormula, "'$&")
  return formula.test(guarded) ? `'${guarded}` : guarded
}

/** Options of csv-stringify. What else a spreadsheet may take for a separator is kept in its cell by quotes. */
export const spreadsheetCsv = { cast: { string: toSpreadsheetText }, quoted_match: /[;\t]/ } as const
