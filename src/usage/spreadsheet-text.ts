// Blanks and invisible characters before it do not keep every spreadsheet from finding a formula.
const formula = /^[\s\0\p{Cf}]*[=+\-@＝＋－＠]|^[\t\r\n\0]/u

/** The text as a CSV cell may hold it: with an apostrophe before what a spreadsheet would take for a formula. */
export function toSpreadsheetText(text: string): string {
  return formula.test(text) ? `'${text}` : text
}
